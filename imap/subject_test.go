package imap

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

func TestBaseSubject(t *testing.T) {
	for _, tt := range []struct {
		subject, want string
		reply         bool
	}{
		{"", "", false},
		{"   ", "", false},
		{"hello", "hello", false},
		{"  a \t b\r\n  c  ", "a b c", false},
		{"Re: hello", "hello", true},
		{"RE : hello", "hello", true},
		{"re:re:RE: Fw: fwd:hello", "hello", true},
		{"fwd hello", "fwd hello", false},
		{"Reply: hello", "Reply: hello", false},
		{"Re[2]: hello", "hello", true},
		{"re [x] : hello", "hello", true},
		{"Fwd[x]:hello", "hello", true},
		{"Re[[2]]: hello", "Re[[2]]: hello", false},
		{"Re[2: hello", "Re[2: hello", false},
		{"[list] hello", "hello", false},
		{"[list] [PATCH 1/2] hello", "hello", false},
		{"[a][b] Re: [c] hello", "hello", true},
		{"[list]", "[list]", false},
		{"Re: [list]", "[list]", true},
		{"[a] [list]", "[list]", false},
		{"[a][b] (fwd)", "[b]", true},
		{"[list] Re:", "", true},
		{"[a] x [b]", "x [b]", false},
		{"[a[b] x", "[a[b] x", false},
		{"[] x", "x", false},
		{"hello (fwd)", "hello", true},
		{"hello (FWD)  (fwd) ", "hello", true},
		{"(fwd)", "", true},
		{"hello(fwd)", "hello", true},
		{"hello (fwd) x", "hello (fwd) x", false},
		{"[fwd: hello]", "hello", true},
		{"[Fwd: [FWD: Re: hello]]", "hello", true},
		{"Re: [fwd: hello (fwd)]", "hello", true},
		{"[list] [fwd: hello]", "hello", true},
		{"[fwd: hello] x", "x", false}, // a blob
		{"[fwd: hello", "[fwd: hello", false},
		{"[fwd:]", "", true},
		{"[fwd: [x]]", "[x]", true},
		{"[fwd: [x] y] (fwd)", "y", true},
		{"Re: 日本語", "日本語", true},
		{"Aw: hello", "Aw: hello", false}, // the RFC knows English only
		{"re\u00a0: x", "re\u00a0: x", false},
	} {
		base, reply := baseSubject(tt.subject)
		if base != tt.want || reply != tt.reply {
			t.Errorf("%q: got %q, %v, want %q, %v", tt.subject, base, reply, tt.want, tt.reply)
		}
	}
}

// TestBaseSubjectNasty: time must follow length, however the marks are nested. Were it the square, this would take minutes.
func TestBaseSubjectNasty(t *testing.T) {
	const n = 1 << 19
	for _, tt := range []struct{ unit, end, want string }{
		{"Re: ", "x", "x"},
		{"[a]", "x", "x"},
		{"[a]", "", "[a]"},
		{"[a] re:", "x", "x"},
		{"[fwd:", "x" + strings.Repeat("]", n), "x"},
		{"[fwd:[a]", "x" + strings.Repeat("]", n), "x"},
		{"[", "", strings.Repeat("[", n)},
		{"[a", "]", strings.Repeat("[a", n) + "]"},
		{"re[", "", strings.Repeat("re[", n)},
		{"(fwd) ", "", ""},
	} {
		if base, _ := baseSubject(strings.Repeat(tt.unit, n) + tt.end); base != tt.want {
			t.Errorf("%q repeated: got %.40q, want %.40q", tt.unit, base, tt.want)
		}
	}
}

// The ABNF of RFC 5256 §5.
const subjBlob = `\[[^\[\]]*\] *`

var (
	subjSpace   = regexp.MustCompile(`[ \t\r\n]+`)
	subjTrailer = regexp.MustCompile(`(?is)(\(fwd\)| )$`)
	subjLeader  = regexp.MustCompile(`(?is)^((` + subjBlob + `)*(re|fwd?) *(` + subjBlob + `)?:| )`)
	subjPrefix  = regexp.MustCompile(`(?is)^` + subjBlob)
	subjForward = regexp.MustCompile(`(?is)^\[fwd:(.*)\]$`)
)

// stepByStep is RFC 5256 §2.1 word by word, however slow.
func stepByStep(s string) string {
	s = subjSpace.ReplaceAllString(s, " ")
	for {
		for subjTrailer.MatchString(s) {
			s = subjTrailer.ReplaceAllString(s, "")
		}
		for {
			before := s
			s = subjLeader.ReplaceAllString(s, "")
			if rest := subjPrefix.ReplaceAllString(s, ""); rest != "" {
				s = rest
			}
			if s == before {
				break
			}
		}
		m := subjForward.FindStringSubmatch(s)
		if m == nil {
			return s
		}
		s = m[1]
	}
}

func TestBaseSubjectStepByStep(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	words := []string{"re", "Fw", "fwd", ":", "[", "]", "[a]", "[Fwd:", "(fwd)", " ", "\t ", "x", "é"}
	for range 20000 {
		s := ""
		for range rng.IntN(12) {
			s += words[rng.IntN(len(words))]
		}
		if got, _ := baseSubject(s); got != stepByStep(s) {
			t.Fatalf("%q: got %q, step by step it is %q", s, got, stepByStep(s))
		}
	}
}

func FuzzBaseSubject(f *testing.F) {
	for _, s := range []string{"Re: [a] fwd[b]: x (fwd)", "[fwd: [x] re: [y]] ", "[][] Re [ ]:: y", "[a[b]c] fw: [fwd:]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, _ := baseSubject(s); got != stepByStep(s) {
			t.Fatalf("%q: got %q, step by step it is %q", s, got, stepByStep(s))
		}
	})
}
