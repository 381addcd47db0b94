// Says how large the chosen file is.
document.querySelector('input[type=file]').addEventListener('change', event => {
    const file = event.target.files[0];
    document.querySelector('output').textContent = file ? `${file.size.toLocaleString()} bytes` : '';
});
