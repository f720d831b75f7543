package ranked

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/text/unicode/norm"
)

// fold is what the exact index does, as far as these tests go.
func fold(s string) []byte { return norm.NFKD.Bytes([]byte(lower(s))) }

func lower(s string) string {
	out := []rune(s)
	for i, r := range out {
		if 'A' <= r && r <= 'Z' || 'À' <= r && r <= 'Þ' {
			out[i] = r + 32
		}
	}
	return string(out)
}

var usual = []string{"en", "de", "fr", "es", "it", "nl", "pt"}

func testIndex(t testing.TB, dir string) *Index {
	t.Helper()
	x, err := New(dir, usual, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

// doc has a body and a subject.
func doc(n uint32, body, subject string) Document {
	d := Document{Key: NewKey(n, [4]byte{byte(n)})}
	d.Texts[Body], d.Texts[Subject] = fold(body), fold(subject)
	return d
}

// found returns the numbers of the documents found, the best first.
func found(t testing.TB, x *Index, needle string, in ...Field) []uint32 {
	t.Helper()
	if in == nil {
		in = []Field{Body, Subject, From, To, Cc, Bcc}
	}
	hits, err := x.Find(context.Background(), fold(needle), in...)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(hits, func(a, b Hit) int { return cmp.Or(-cmp.Compare(a.Score, b.Score), cmp.Compare(a.Key, b.Key)) })
	out := []uint32{}
	for _, h := range hits {
		out = append(out, h.Key.Doc())
	}
	return out
}

var texts = []Document{
	doc(1, "The invoices that you asked for are in the attachment. We were running late.", "Your invoices"),
	doc(2, "Please pay the invoice.", "Reminder"),
	doc(3, "Die Häuser stehen leer, und wir haben die Rechnungen noch nicht bezahlt. Viele Grüße aus Köln", "Straßenfest"),
	doc(4, "Nous avons reçu les factures de votre société, mais les chevaux sont dans le jardin.", "À propos"),
	doc(5, "会議は明日の東京で行われます。よろしくお願いします。", "会議の件"),
	doc(6, "안녕하세요 회의는 내일 서울에서 열립니다", "회의"),
	doc(7, "To be or not to be, that is the question whether it is nobler", "Hamlet"),
	doc(8, "A long letter about other things, in which somebody says hello once in passing, and nothing else that has to do with anything", "Things"),
	doc(9, "hello hello", "Hello"),
	doc(10, "The Acme company helps people who need help", "Help"),
	doc(11, "La ciudad no tiene canciones para los niños", "Música"),
	doc(12, "สวัสดีครับ ยินดีต้อนรับ", "ไทย"),
}

func TestFind(t *testing.T) {
	x := testIndex(t, filepath.Join(t.TempDir(), "r"))
	if err := x.Update(texts, nil); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		needle string
		want   []uint32 // in this order
	}{
		{"invoice", []uint32{1, 2}},
		{"INVOICES", []uint32{1, 2}},
		{"invioce", []uint32{1, 2}},   // two letters changed places
		{"invoces", []uint32{1, 2}},   // one is missing
		{"attachement", []uint32{1}},  // one too many
		{"atachement", []uint32{1}},   // two errors
		{"run late", []uint32{1}},     // two words, one by its stem
		{"late running", []uint32{1}}, // in any order
		{"invoice late", []uint32{1}}, // all words
		{"invoice nowhere", nil},      //
		{"haus", []uint32{3}},         // Häuser
		{"Rechnung", []uint32{3}},     //
		{"die Rechnung", []uint32{3}}, // a stop word of one language
		{"grusse", []uint32{3}},       // ü, ß
		{"GRÜSSE", []uint32{3}},       //
		{"koeln", []uint32{3}},        // as Germans write it
		{"strasenfest", []uint32{3}},  // one letter is missing
		{"facture", []uint32{4}},      //
		{"cheval", []uint32{4}},       // chevaux
		{"société", []uint32{4}},      //
		{"societe", []uint32{4}},      //
		{"東京", []uint32{5}},           //
		{"会議", []uint32{5}},           //
		{"東京会議", nil},                 // 京会 is nowhere
		{"서울", []uint32{6}},           // within a word
		{"niño", []uint32{11}},        //
		{"canción", []uint32{11}},     //
		{"ยินดี", []uint32{12}},       //
		{"hello", []uint32{9, 8, 10}}, // the short one is about it; its stem in other languages is like help
		{"helo", []uint32{9, 10, 8}},  // RFC 6203 §4: hello, help
		{"help", []uint32{10}},        //
		{"xnvoice", nil},              // the first letter is never wrong
		{"", nil},
		{"!?", nil},
		{"the question", []uint32{7}},
	} {
		got := found(t, x, tt.needle)
		if !slices.Equal(got, append([]uint32{}, tt.want...)) {
			t.Errorf("%q: %v, want %v", tt.needle, got, tt.want)
		}
	}
	if got := found(t, x, "invoice", Subject); !slices.Equal(got, []uint32{1}) {
		t.Errorf("in subjects: %v", got)
	}
}

// TestLife: what was added is there after the index was closed; what was removed is not.
func TestLife(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "r")
	x := testIndex(t, dir)
	if err := x.Update(texts[:5], nil); err != nil {
		t.Fatal(err)
	}
	if err := x.Update(texts[5:], []Key{texts[0].Key}); err != nil {
		t.Fatal(err)
	}
	check := func(x *Index) {
		t.Helper()
		keys, err := x.Keys()
		if err != nil || len(keys) != len(texts)-1 || keys[0] != texts[1].Key || !slices.IsSorted(keys) {
			t.Errorf("%v, %v", keys, err)
		}
		if got := found(t, x, "invoice"); !slices.Equal(got, []uint32{2}) {
			t.Errorf("%v", got)
		}
	}
	check(x)
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := x.Keys(); err != ErrClosed {
		t.Errorf("Keys after Close: %v", err)
	}
	if err := x.Update(texts[:1], nil); err != ErrClosed {
		t.Errorf("Update after Close: %v", err)
	}
	if got := found(t, x, "invoice"); len(got) != 0 {
		t.Errorf("after Close: %v", got)
	}
	x = testIndex(t, dir)
	check(x)
	if err := x.Clear(); err != nil {
		t.Fatal(err)
	}
	if keys, err := x.Keys(); err != nil || len(keys) != 0 {
		t.Errorf("after Clear: %v, %v", keys, err)
	}
	if err := x.Update(texts, []Key{texts[0].Key}); err != nil {
		t.Fatal(err)
	}
}

// TestOtherLanguages: an index for other languages is made anew.
func TestOtherLanguages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "r")
	x := testIndex(t, dir)
	if err := x.Update(texts, nil); err != nil {
		t.Fatal(err)
	}
	x.Close()
	x, err := New(dir, []string{"sv", "da"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if keys, err := x.Keys(); err != nil || len(keys) != 0 {
		t.Errorf("%v, %v", keys, err)
	}
	if _, err := New(dir, []string{"xx"}, nil); err == nil {
		t.Error("a language that nobody knows is accepted")
	}
}

// TestDamage: whatever is done to the files of an index, opening it gives what was there or nothing, and it can be filled again.
func TestDamage(t *testing.T) {
	made := filepath.Join(t.TempDir(), "made")
	x := testIndex(t, made)
	for i := range texts {
		if err := x.Update(texts[i:i+1], nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	var files []string
	err := filepath.WalkDir(made, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	for _, path := range files {
		rel, _ := filepath.Rel(made, path)
		for what, damage := range map[string]func([]byte) []byte{
			"empty": func([]byte) []byte { return nil },
			"half":  func(b []byte) []byte { return b[:len(b)/2] },
			"zeros": func(b []byte) []byte { return make([]byte, len(b)) },
			"noise": func(b []byte) []byte {
				for i := range b {
					b[i] ^= 0x5a
				}
				return b
			},
			"a bit":   func(b []byte) []byte { b[len(b)/2] ^= 4; return b },
			"removed": nil,
		} {
			t.Run(filepath.Ext(rel)+" "+what, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "r")
				if err := os.CopyFS(dir, os.DirFS(made)); err != nil {
					t.Fatal(err)
				}
				if damage == nil {
					os.Remove(filepath.Join(dir, rel))
				} else {
					b, err := os.ReadFile(path)
					if err == nil {
						err = os.WriteFile(filepath.Join(dir, rel), damage(b), 0o600)
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				x := testIndex(t, dir)
				keys, err := x.Keys()
				if err != nil {
					t.Fatal(err)
				}
				if n := len(keys); n > 0 && n != len(texts) {
					t.Logf("%d of %d documents are left", n, len(texts))
				}
				if err := x.Update(texts, nil); err != nil {
					t.Fatal(err)
				}
				if got := found(t, x, "invoice"); !slices.Equal(got, []uint32{1, 2}) {
					t.Errorf("%v", got)
				}
			})
		}
	}
}

func TestWords(t *testing.T) {
	long := string(make([]byte, 0))
	for range 40 {
		long += "ab"
	}
	for text, want := range map[string][]string{
		"it's a plain text, of words.": {"it", "plain", "text", "of", "words"},
		"abc123 4711 1234567 2024":     {"4711", "2024"},
		"anna.schmidt@example.org":     {"anna", "schmidt", "example", "org"},
		"l'été":                        {"été"},
		"Gru\u0308\u00dfe":             {"Grüße"},
		long + " x":                    nil,
		"東京":                           {"東京"},
		"東":                            {"東"},
		"東京都 a":                        {"東京", "京都"},
		"カ\u3099キ":                     {"ガキ"},
		"a\xffbc":                      {"bc"},
		"":                             nil,
	} {
		var got []string
		words([]byte(text), func(w []byte) bool { got = append(got, string(w)); return true })
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestDetect(t *testing.T) {
	x := testIndex(t, t.TempDir())
	for i, want := range map[int]string{0: "en", 2: "de", 3: "fr", 6: "en", 10: "es"} {
		l, err := load(want)
		if err != nil {
			t.Fatal(err)
		}
		if detect(x.langs, texts[i].Texts[Body]) != l {
			t.Errorf("%s is not found to be %s", texts[i].Texts[Body], want)
		}
	}
}

func FuzzDocument(f *testing.F) {
	f.Add([]byte("l'été à la plage"), []byte("plage"))
	f.Add([]byte("東\xff京\xfe \x00 a\u0301\u0302"), []byte("a\u0301"))
	x, err := New("", usual, slog.New(slog.DiscardHandler))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body, needle []byte) {
		d := Document{Key: 1}
		d.Texts[Body], d.Texts[From] = body, needle
		doc, err := d.analyse(x.langs)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, f := range doc.Fields {
			n += len(f.AnalyzedTokenFrequencies())
		}
		if n > maxTerms {
			t.Errorf("%d terms", n)
		}
		if got := x.sought(needle); len(got) > maxWords {
			t.Errorf("%d words", len(got))
		}
	})
}
