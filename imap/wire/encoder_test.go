package wire

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// encoded returns what f writes.
func encoded(utf8 bool, f func(*Encoder)) string {
	var out bytes.Buffer
	e := NewEncoder(&out)
	e.UTF8 = utf8
	f(e)
	if err := e.Flush(); err != nil {
		return "error: " + err.Error()
	}
	return out.String()
}

func TestEncoderStrings(t *testing.T) {
	long := strings.Repeat("x", maxQuoted)
	for _, tt := range []struct{ in, str, strUTF8, astr, box, boxUTF8 string }{
		{"", `""`, `""`, `""`, `""`, `""`},
		{"abc", `"abc"`, `"abc"`, "abc", "abc", "abc"},
		{"INBOX", `"INBOX"`, `"INBOX"`, "INBOX", "INBOX", "INBOX"},
		{"nil", `"nil"`, `"nil"`, `"nil"`, `"nil"`, `"nil"`},
		{"a b", `"a b"`, `"a b"`, `"a b"`, `"a b"`, `"a b"`},
		{`a"\`, `"a\"\\"`, `"a\"\\"`, `"a\"\\"`, `"a\"\\"`, `"a\"\\"`},
		{"a]", `"a]"`, `"a]"`, "a]", "a]", "a]"},
		{"a*%", `"a*%"`, `"a*%"`, `"a*%"`, `"a*%"`, `"a*%"`},
		{"R&D", `"R&D"`, `"R&D"`, "R&D", "R&-D", "R&D"},
		{"é", "{2}\r\né", `"é"`, "{2}\r\né", "&AOk-", `"é"`},
		{"é x", "{4}\r\né x", `"é x"`, "{4}\r\né x", `"&AOk- x"`, `"é x"`},
		{"a\r\nb", "{4}\r\na\r\nb", "{4}\r\na\r\nb", "{4}\r\na\r\nb", "a&AA0ACg-b", "{4}\r\na\r\nb"},
		{"\xe9", "{1}\r\n\xe9", "{1}\r\n\xe9", "{1}\r\n\xe9", "&,,0-", "{1}\r\n\xe9"},
		{"a\tb", "\"a\tb\"", "\"a\tb\"", "\"a\tb\"", "a&AAk-b", "\"a\tb\""},
		{long, `"` + long + `"`, `"` + long + `"`, long, long, long},
		{long + " ", "{1001}\r\n" + long + " ", "{1001}\r\n" + long + " ", "{1001}\r\n" + long + " ", "{1001}\r\n" + long + " ", "{1001}\r\n" + long + " "},
	} {
		for _, c := range []struct {
			what, want string
			utf8       bool
			f          func(*Encoder)
		}{
			{"String", tt.str, false, func(e *Encoder) { e.String(tt.in) }},
			{"String UTF8", tt.strUTF8, true, func(e *Encoder) { e.String(tt.in) }},
			{"AString", tt.astr, false, func(e *Encoder) { e.AString(tt.in) }},
			{"Mailbox", tt.box, false, func(e *Encoder) { e.Mailbox(tt.in) }},
			{"Mailbox UTF8", tt.boxUTF8, true, func(e *Encoder) { e.Mailbox(tt.in) }},
		} {
			if got := encoded(c.utf8, c.f); got != c.want {
				t.Errorf("%s(%q) = %q, want %q", c.what, tt.in, got, c.want)
			}
		}
	}
}

func TestEncoderLine(t *testing.T) {
	got := encoded(false, func(e *Encoder) {
		e.Raw("* ").Number(5).Raw(" FETCH (UID").SP().Number(-1).SP().Nil().SP().Quoted(`x"`).SP().RawBytes([]byte("raw")).SP()
		e.DateTime(time.Date(2026, 2, 1, 3, 4, 5, 6, time.FixedZone("", -5400))).SP().Literal(3, false)
		io.WriteString(e, "abc")
		e.SP().Literal(1, true)
		e.Write([]byte{0})
		e.Raw(")").CRLF()
	})
	want := "* 5 FETCH (UID -1 NIL \"x\\\"\" raw \"01-Feb-2026 03:04:05 -0130\" {3}\r\nabc ~{1}\r\n\x00)\r\n"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestAppendDateTime(t *testing.T) {
	for _, tt := range []struct {
		in   time.Time
		want string
	}{
		{time.Unix(0, 0).UTC(), `"01-Jan-1970 00:00:00 +0000"`},
		{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), `"01-Jan-1970 00:00:00 +0000"`},
		{time.Unix(-1<<60, 0), `"01-Jan-1970 00:00:00 +0000"`},
		{time.Date(7, 12, 31, 23, 59, 59, 0, time.UTC), `"31-Dec-0007 23:59:59 +0000"`},
	} {
		got := string(AppendDateTime(nil, tt.in))
		if got != tt.want {
			t.Errorf("%v: got %s, want %s", tt.in, got, tt.want)
		}
		if _, err := try(got, (*Decoder).ExpectDateTime); err != "" {
			t.Errorf("%s does not parse: %s", got, err)
		}
	}
}

func TestEncoderSet(t *testing.T) {
	for _, tt := range []struct {
		in   []uint32
		want string
	}{
		{nil, ""}, {[]uint32{7}, "7"}, {[]uint32{1, 2}, "1:2"}, {[]uint32{1, 2, 3, 5}, "1:3,5"}, {[]uint32{1, 3, 5}, "1,3,5"},
		{[]uint32{1, 1, 2, 2, 9}, "1:2,9"}, {[]uint32{4294967294, 4294967295}, "4294967294:4294967295"},
	} {
		if got := encoded(false, func(e *Encoder) { e.Set(tt.in) }); got != tt.want {
			t.Errorf("%v: got %q, want %q", tt.in, got, tt.want)
		}
	}
	// Sets larger than a step and the buffer give the same as one append.
	for _, stride := range []uint32{1, 2} {
		var nums []uint32
		for i := range uint32(50000) {
			nums = append(nums, 1000000+i*stride)
		}
		for _, n := range []int{setStep - 1, setStep, setStep + 1, 2 * setStep, 2*setStep + 1, len(nums)} {
			if got, want := encoded(false, func(e *Encoder) { e.Set(nums[:n]) }), string(AppendSet(nil, nums[:n])); got != want {
				t.Errorf("%d numbers, every %d: Set and AppendSet differ", n, stride)
			}
		}
	}
}

// chunks notes the length of every write.
type chunks struct {
	sizes []int
	fail  error
}

func (c *chunks) Write(p []byte) (int, error) {
	if c.fail != nil {
		return 0, c.fail
	}
	c.sizes = append(c.sizes, len(p))
	return len(p), nil
}

func TestEncoderBuffers(t *testing.T) {
	var out chunks
	e := NewEncoder(&out)
	for range 1000 {
		e.Raw(strings.Repeat("x", 100))
	}
	if len(out.sizes) != 1 || out.sizes[0] < encoderBuffer || out.sizes[0] > encoderBuffer+100 {
		t.Errorf("100 kB in small pieces: wrote %v before Flush", out.sizes)
	}
	if err := e.Flush(); err != nil || len(out.sizes) != 2 {
		t.Errorf("Flush: %v, %v", err, out.sizes)
	}
	if e.buf != nil || e.home != nil {
		t.Error("an idle encoder holds a buffer")
	}
	out.sizes = nil
	e.Raw("ab")
	if n, err := e.Write(make([]byte, 1<<20)); n != 1<<20 || err != nil {
		t.Error(n, err)
	}
	e.CRLF()
	if err := e.Flush(); err != nil || len(out.sizes) != 3 || out.sizes[1] != 1<<20 {
		t.Errorf("large write: %v, %v", out.sizes, err)
	}
	if err := e.Flush(); err != nil || len(out.sizes) != 3 {
		t.Error("an empty Flush wrote something")
	}
}

func TestEncoderErrors(t *testing.T) {
	boom := errors.New("boom")
	out := &chunks{fail: boom}
	e := NewEncoder(out)
	e.Raw("x").CRLF()
	if n, err := e.Write(make([]byte, encoderBuffer)); n != 0 || err != boom {
		t.Errorf("Write: %d, %v", n, err)
	}
	out.fail = nil
	e.Raw("y")
	if err := e.Flush(); err != boom || out.sizes != nil {
		t.Errorf("Flush: %v, wrote %v after an error", err, out.sizes)
	}
	e.Raw("z")
	if err := e.Flush(); err != nil || len(out.sizes) != 1 {
		t.Errorf("the error outlived Flush: %v, %v", err, out.sizes)
	}
	out.fail = boom
	e.Raw("lost")
	e.Reset(&chunks{})
	if err := e.Flush(); err != nil {
		t.Errorf("the error outlived Reset: %v", err)
	}
}

func TestEncoderAllocatesNothing(t *testing.T) {
	e := NewEncoder(io.Discard)
	nums := []uint32{1, 2, 3, 5, 7}
	now := time.Now()
	allocs := testing.AllocsPerRun(100, func() {
		e.Raw("* ").Number(5).SP().Set(nums).SP().String("a b").SP().AString("x").SP().Mailbox("INBOX").SP().DateTime(now).CRLF()
	})
	if allocs > 0 {
		t.Errorf("%v allocations per line", allocs)
	}
}

func BenchmarkEncoderSet(b *testing.B) {
	for _, tt := range []struct {
		name   string
		stride uint32
	}{{"dense", 1}, {"sparse", 3}} {
		b.Run(tt.name, func(b *testing.B) {
			nums := make([]uint32, 100000)
			for i := range nums {
				nums[i] = 1 + uint32(i)*tt.stride
			}
			e := NewEncoder(io.Discard)
			b.ReportAllocs()
			for b.Loop() {
				e.Set(nums)
				if err := e.Flush(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
