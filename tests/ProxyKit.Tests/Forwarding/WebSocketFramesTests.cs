using System.Buffers.Binary;
using ProxyKit.Forwarding;

namespace ProxyKit.Tests.Forwarding;

public class WebSocketFramesTests
{
    private const int Text = 1, Binary = 2, Close = 8, Ping = 9;

    public static TheoryData<int, bool> Lengths
    {
        get
        {
            var data = new TheoryData<int, bool>();
            foreach (var length in (int[])[0, 1, 2, 124, 125, 126, 127, 255, 256, 65_534, 65_535, 65_536, 70_000])
            {
                data.Add(length, true);
                data.Add(length, false);
            }
            return data;
        }
    }

    [Theory, MemberData(nameof(Lengths))]
    public void A_frame_ends_where_its_length_says(int length, bool masked)
    {
        var frame = Frame(Binary, length, masked);
        byte[] data = [.. frame, .. Frame(Text, 3, masked)];
        WebSocketFrames frames = default;

        Assert.True(frames.AtBoundary);
        Assert.Equal(frame.Length, frames.Scan(data, stopAtBoundary: true));
        Assert.True(frames.AtBoundary);
        Assert.False(frames.HasClosed);
    }

    [Theory, MemberData(nameof(Lengths))]
    public void A_frame_cut_in_two_anywhere_has_no_boundary_at_the_cut(int length, bool masked)
    {
        var frame = Frame(Binary, length, masked);
        // Every cut of the header and its surroundings; of a long payload, samples.
        for (var cut = 1; cut < frame.Length; cut += cut < 40 || frame.Length - cut < 40 ? 1 : 997)
        {
            WebSocketFrames frames = default;
            Assert.Equal(cut, frames.Scan(frame.AsSpan(0, cut), stopAtBoundary: true));
            Assert.False(frames.AtBoundary, $"cut at {cut}");
            Assert.Equal(frame.Length - cut, frames.Scan(frame.AsSpan(cut), stopAtBoundary: true));
            Assert.True(frames.AtBoundary);
        }
    }

    [Fact]
    public void Every_way_to_cut_a_stream_in_three_finds_the_same_boundaries()
    {
        int[] lengths = [0, 3, 126, 0, 5];
        byte[] data = [.. lengths.SelectMany((length, i) => Frame(i == 4 ? Close : Ping, length, masked: i % 2 == 0))];
        var expected = lengths.Select((length, i) => Frame(Ping, length, i % 2 == 0).Length).Aggregate(new List<int> { 0 }, (ends, size) => [.. ends, ends[^1] + size]);

        for (var first = 0; first <= data.Length; first++)
        {
            for (var second = first; second <= data.Length; second++)
            {
                WebSocketFrames frames = default;
                var ends = new List<int> { 0 };
                Scan(ref frames, data, 0, first, ends);
                Scan(ref frames, data, first, second, ends);
                Assert.Equal(second == data.Length, frames.HasClosed);
                Scan(ref frames, data, second, data.Length, ends);
                Assert.Equal(expected, ends);
                Assert.True(frames.HasClosed);
            }
        }
    }

    [Fact]
    public void A_stream_that_comes_byte_by_byte_has_the_same_boundaries()
    {
        byte[] data = [.. Frame(Text, 0, true), .. Frame(Binary, 130, false), .. Frame(Binary, 65_536, true), .. Frame(Close, 2, true)];
        var ends = new List<int> { 0 };
        WebSocketFrames frames = default;
        for (var i = 0; i < data.Length; i++)
            Scan(ref frames, data, i, i + 1, ends);

        Assert.Equal([0, 6, 6 + 134, 6 + 134 + 65_550, 6 + 134 + 65_550 + 8], ends);
        Assert.True(frames.HasClosed);
    }

    [Fact]
    public void Without_a_stop_all_is_taken_and_the_last_state_counts()
    {
        byte[] data = [.. Frame(Text, 4, true), .. Frame(Text, 200, false), .. Frame(Text, 10, true)];
        WebSocketFrames frames = default;

        Assert.Equal(data.Length, frames.Scan(data, stopAtBoundary: false));
        Assert.True(frames.AtBoundary);
        Assert.Equal(3, frames.Scan(data.AsSpan(0, 3), stopAtBoundary: false));
        Assert.False(frames.AtBoundary);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_frame_of_more_than_four_gigabytes_is_followed_to_its_end(bool masked)
    {
        const ulong Length = (1UL << 32) + 5;
        WebSocketFrames frames = default;
        var header = Header(Binary, Length, masked);
        Assert.Equal(header.Length, frames.Scan(header, stopAtBoundary: true));
        var piece = new byte[1 << 28];
        for (var i = 0; i < 16; i++)
        {
            Assert.Equal(piece.Length, frames.Scan(piece, stopAtBoundary: true));
            Assert.False(frames.AtBoundary);
        }

        Assert.Equal(5, frames.Scan(piece, stopAtBoundary: true));
        Assert.True(frames.AtBoundary);
    }

    [Fact]
    public void The_longest_length_there_is_does_not_overflow()
    {
        WebSocketFrames frames = default;
        frames.Scan(Header(Binary, ulong.MaxValue, masked: true), stopAtBoundary: true);

        Assert.Equal(1000, frames.Scan(new byte[1000], stopAtBoundary: true));
        Assert.False(frames.AtBoundary);
    }

    [Fact]
    public void A_close_counts_when_it_is_complete()
    {
        var close = Frame(Close, 10, masked: true);
        WebSocketFrames frames = default;

        frames.Scan(close.AsSpan(0, close.Length - 1), stopAtBoundary: false);
        Assert.False(frames.HasClosed);
        frames.Scan(close.AsSpan(close.Length - 1), stopAtBoundary: false);
        Assert.True(frames.HasClosed);
    }

    [Fact]
    public void An_empty_close_counts()
    {
        WebSocketFrames frames = default;
        frames.Scan([0x88, 0], stopAtBoundary: false);
        Assert.True(frames.HasClosed);
    }

    [Fact]
    public void A_payload_that_looks_like_a_close_is_none()
    {
        WebSocketFrames frames = default;
        frames.Scan([0x82, 4, 0x88, 0, 0x88, 0], stopAtBoundary: false);
        Assert.False(frames.HasClosed);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Going_away_is_a_close_frame_with_status_1001(bool masked)
    {
        var frame = WebSocketFrames.GoingAway(masked);
        WebSocketFrames frames = default;

        Assert.Equal(frame.Length, frames.Scan(frame, stopAtBoundary: true));
        Assert.True(frames.AtBoundary && frames.HasClosed);
        var payload = frame[^2..];
        if (masked)
            payload = [(byte)(payload[0] ^ frame[2]), (byte)(payload[1] ^ frame[3])];
        Assert.Equal(1001, BinaryPrimitives.ReadUInt16BigEndian(payload));
        Assert.Equal(masked, (frame[1] & 0x80) != 0);
    }

    [Theory]
    [InlineData("dGhlIHNhbXBsZSBub25jZQ==", true)]
    [InlineData("", false)]
    [InlineData("dGhlIHNhbXBsZSBub25jZQ=", false)]
    [InlineData("dGhlIHNhbXBsZSBub25jZWVl", false)] // 18 bytes
    [InlineData("dGhlIHNhbXBsZSBub25jZWU=", false)] // 17 bytes
    [InlineData("!!!!!!!!!!!!!!!!!!!!!!!!", false)]
    public void A_key_is_sixteen_bytes_in_base64(string key, bool valid) => Assert.Equal(valid, WebSocketFrames.IsKey(key));

    [Fact]
    public void A_new_key_is_a_key_and_its_accept_is_RFC_6455s()
    {
        Assert.True(WebSocketFrames.IsKey(WebSocketFrames.NewKey()));
        Assert.NotEqual(WebSocketFrames.NewKey(), WebSocketFrames.NewKey());
        Assert.Equal("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", WebSocketFrames.AcceptFor("dGhlIHNhbXBsZSBub25jZQ=="));
    }

    private static void Scan(ref WebSocketFrames frames, byte[] data, int start, int end, List<int> ends)
    {
        while (start < end)
        {
            start += frames.Scan(data.AsSpan(start, end - start), stopAtBoundary: true);
            if (frames.AtBoundary)
                ends.Add(start);
        }
    }

    private static byte[] Frame(int opcode, int length, bool masked) =>
        // A payload of close-frame bytes, which must not be taken for one.
        [.. Header(opcode, (ulong)length, masked), .. Enumerable.Repeat((byte)0x88, length)];

    private static byte[] Header(int opcode, ulong length, bool masked)
    {
        var bit = masked ? 0x80 : 0;
        byte[] header;
        if (length < 126)
            header = [(byte)(0x80 | opcode), (byte)(bit | (int)length)];
        else if (length <= ushort.MaxValue)
        {
            header = [(byte)(0x80 | opcode), (byte)(bit | 126), 0, 0];
            BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(2), (ushort)length);
        }
        else
        {
            header = [(byte)(0x80 | opcode), (byte)(bit | 127), 0, 0, 0, 0, 0, 0, 0, 0];
            BinaryPrimitives.WriteUInt64BigEndian(header.AsSpan(2), length);
        }
        return masked ? [.. header, 0x81, 0x88, 0xff, 0x00] : header;
    }
}
