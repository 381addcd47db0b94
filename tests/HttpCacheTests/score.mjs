// node score.mjs results.json: what each test's result is worth, by the suite's own rule, which also looks at the tests that a test depends on.
import fs from 'fs'
import { determineTestResult } from 'http-cache-tests/lib/display.mjs'
import suites from 'http-cache-tests/tests/index.mjs'
import surrogateControl from 'http-cache-tests/tests/surrogate-control.mjs'

const words = { '✅': 'pass', '⛔️': 'fail', '⚠️': 'optional fail', Y: 'yes', N: 'no', '🔹': 'setup fail', '⁉️': 'harness fail', '⚪️': 'dependency fail', '↻': 'retry', '-': 'untested' }

const results = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'))
const all = [...suites, surrogateControl] // as the cli has them
const scored = {}
for (const suite of all) {
  for (const test of suite.tests) {
    if (test.browser_only) continue
    const result = results[test.id]
    scored[test.id] = {
      kind: test.kind ?? 'required',
      outcome: words[determineTestResult(all, test.id, results)[2]],
      reason: Array.isArray(result) ? result.join(': ') : ''
    }
  }
}
console.log(JSON.stringify(scored))
