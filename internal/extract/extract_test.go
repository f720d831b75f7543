package extract

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == Command {
		os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

// patient are limits that a busy machine does not reach.
var patient = func() Limits {
	l := DefaultLimits
	l.Time = time.Minute
	if raceDetector {
		l.Memory *= 8
	}
	return l
}()

// documents reads those of all tests, so that most are read by a child that has read others.
var documents Reader

// extracted is what a child makes of a document; the kind is 0 when there is no error.
func extracted(t testing.TB, f Format, data []byte, l Limits) (string, Kind) {
	t.Helper()
	text, err := documents.Text(t.Context(), f, from(bytes.NewReader(data)), l)
	var failed *Error
	if err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	if failed != nil {
		return string(text), failed.Kind
	}
	return string(text), 0
}

// from opens a document any number of times.
func from(r io.ReadSeeker) func() (io.Reader, error) {
	return func() (io.Reader, error) {
		_, err := r.Seek(0, io.SeekStart)
		return r, err
	}
}

// archive makes a zip of names and contents in turn.
func archive(t testing.TB, members ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		f, err := w.Create(members[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, members[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const (
	wordOpen = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?><w:document xmlns:w="x" xmlns:mc="y"><w:body>`
	wordEnd  = `</w:body></w:document>`
	odfOpen  = `<?xml version="1.0" encoding="UTF-8"?><office:document-content xmlns:office="a" xmlns:text="b" xmlns:table="c"><office:body>`
	odfEnd   = `</office:body></office:document-content>`
)

func TestOffice(t *testing.T) {
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"docx", archive(t,
			"word/header1.xml", `<w:hdr><w:p><w:r><w:t>Header</w:t></w:r></w:p></w:hdr>`,
			"word/document.xml", wordOpen+`<w:p><w:pPr><w:jc w:val="left"/></w:pPr><w:r><w:t>Hel</w:t></w:r><w:r><w:t xml:space="preserve">lo </w:t></w:r><w:r><w:t>W&#246;rld &amp; all</w:t></w:r></w:p>
				<w:p><w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/><w:t>c</w:t><w:delText>gone</w:delText><w:instrText>PAGE</w:instrText></w:r></w:p>
				<mc:AlternateContent><mc:Choice><w:p><w:r><w:t>box</w:t></w:r></w:p></mc:Choice><mc:Fallback><w:p><w:r><w:t>box</w:t></w:r></w:p></mc:Fallback></mc:AlternateContent>
				<w:tbl><w:tr><w:tc><w:p><w:r><w:t>1</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>2</w:t></w:r></w:p></w:tc></w:tr></w:tbl>`+wordEnd,
			"docProps/core.xml", `<cp:coreProperties xmlns:cp="c" xmlns:dc="d"><dc:title>The Title</dc:title><dc:creator>Anna</dc:creator><cp:revision>7</cp:revision></cp:coreProperties>`,
			"word/styles.xml", `<w:styles><w:t>no</w:t></w:styles>`,
		), "The Title\r\nAnna\r\nHello Wörld & all\r\na b\r\nc\r\nbox\r\n1\r\n2\r\nHeader"},
		{"xlsx", archive(t,
			"xl/workbook.xml", `<workbook><sheets><sheet name="Budget" sheetId="1"/><sheet name="More"/></sheets></workbook>`,
			"xl/sharedStrings.xml", `<sst><si><t>Total</t></si><si><r><t>Gro</t></r><r><t>ße</t></r><rPh><t>no</t></rPh></si></sst>`,
			"xl/worksheets/sheet1.xml", `<worksheet><sheetData><row><c t="s"><v>0</v></c><c><f>SUM(A1)</f><v>1234.5</v></c></row><row><c t="inlineStr"><is><t>in line</t></is></c></row></sheetData></worksheet>`,
		), "Budget\r\nMore\r\nTotal\r\nGroße\r\n1234.5\r\nin line"},
		{"pptx", archive(t,
			"ppt/slides/slide10.xml", `<p:sld><a:p><a:r><a:t>ten</a:t></a:r></a:p></p:sld>`,
			"ppt/slides/slide2.xml", `<p:sld><a:p><a:r><a:t>two</a:t></a:r><a:br/><a:r><a:t>more</a:t></a:r></a:p></p:sld>`,
			"ppt/notesSlides/notesSlide1.xml", `<p:notes><a:p><a:r><a:t>note</a:t></a:r></a:p></p:notes>`,
			"ppt/slideLayouts/slideLayout1.xml", `<a:p><a:r><a:t>Click to edit</a:t></a:r></a:p>`,
		), "two\r\nmore\r\nten\r\nnote"},
		{"odt", archive(t, "mimetype", "application/vnd.oasis.opendocument.text",
			"content.xml", odfOpen+`<text:tracked-changes><text:p>gone</text:p></text:tracked-changes><text:h>Head</text:h><text:p>Hel<text:span>lo</text:span><text:s text:c="3"/>there<text:line-break/>x <text:a>link</text:a></text:p>`+odfEnd,
			"meta.xml", `<office:meta><dc:title>T</dc:title><meta:keyword>k1</meta:keyword><meta:editing-cycles>9</meta:editing-cycles></office:meta>`,
		), "T\r\nk1\r\nHead\r\nHello there\r\nx link"},
		{"ods", archive(t, "content.xml", odfOpen+`<table:table table:name="Sheet"><table:table-row><table:table-cell><text:p>A</text:p></table:table-cell><table:table-cell><text:p>5,0</text:p></table:table-cell></table:table-row></table:table>`+odfEnd), "Sheet\r\nA\r\n5,0"},
		{"latin-1", archive(t, "content.xml", "<?xml version='1.0' encoding='iso-8859-1'?><x><p>K\xf6ln</p></x>"), "Köln"},
		{"empty", archive(t, "word/document.xml", wordOpen+wordEnd), ""},
	} {
		if got, kind := extracted(t, Office, c.data, patient); got != c.want || kind != 0 {
			t.Errorf("%s: %v\ngot  %q\nwant %q", c.name, kind, got, c.want)
		}
	}
}

// zeros is an endless reader of a character.
type zeros byte

func (z zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(z)
	}
	return len(p), nil
}

// bomb is an archive of one file that is much larger than it looks.
func bomb(t *testing.T, name, head string, body io.Reader, n int64) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	w.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) { return flate.NewWriter(out, flate.BestSpeed) })
	f, err := w.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(f, io.MultiReader(strings.NewReader(head), io.LimitReader(body, n))); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestHostile: whatever the document, the caller gets a kind, and the text that was before.
func TestHostile(t *testing.T) {
	small := patient
	small.Output = 64 << 10
	laughs := `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha">`
	for i := 'b'; i < 'z'; i++ {
		laughs += fmt.Sprintf(`<!ENTITY %c "%s">`, i, strings.Repeat(fmt.Sprintf("&%c;", i-1), 10))
	}
	laughs += `]><x><p>before</p><p>&y;</p><p>after</p></x>`
	for _, c := range []struct {
		name   string
		format Format
		data   []byte
		limits Limits
		want   string // is in the text
		kind   []Kind
	}{
		{"nothing", Office, nil, patient, "", []Kind{Damaged}},
		{"nothing", PDF, nil, patient, "", []Kind{Damaged}},
		{"no format", "rtf", nil, patient, "", []Kind{Damaged}},
		{"other archive", Office, archive(t, "a.txt", "text"), patient, "", []Kind{Damaged}},
		{"encrypted OOXML", Office, []byte(cfbMagic + "..E\x00n\x00c\x00r\x00y\x00p\x00t\x00e\x00d\x00P\x00a\x00c\x00k\x00a\x00g\x00e\x00"), patient, "", []Kind{Encrypted}},
		{"encrypted ODF", Office, archive(t, "content.xml", "\x01\x02", "META-INF/manifest.xml", `<manifest:manifest><manifest:file-entry><manifest:encryption-data/></manifest:file-entry></manifest:manifest>`), patient, "", []Kind{Encrypted}},
		{"half a file", Office, archive(t, "word/document.xml", wordOpen+"<w:p><w:t>before</w:t></w:p><w:p"), patient, "before", []Kind{Damaged}},
		{"laughs", Office, archive(t, "content.xml", laughs), small, "before", []Kind{0, Damaged}},
		{"text bomb", Office, bomb(t, "content.xml", "<x><p>before ", zeros('x'), 4<<20), small, "before", []Kind{TooLong}},
		{"word bomb", Office, bomb(t, "content.xml", "<x><p>before</p>", repeat("<p>word</p>"), 4<<20), small, "before", []Kind{TooLong}},
		{"space bomb", Office, bomb(t, "content.xml", "<x><p>before</p>", zeros(' '), 4<<20), small, "before", []Kind{TooLong}},
		{"depth bomb", Office, bomb(t, "content.xml", "<p>before</p>", repeat("<x>"), 4<<20), small, "before", []Kind{TooDeep}},
		{"too large", Office, bytes.Repeat([]byte("x"), 3<<20), Limits{Input: 1 << 20, Output: 1, Memory: patient.Memory, Time: time.Minute, Nesting: 9}, "", []Kind{TooLarge}},
		{"hungry", Office, bytes.Repeat([]byte("x"), 100<<20), Limits{Input: 200 << 20, Output: 1, Memory: 128 << 20, Time: time.Minute, Nesting: 9}, "", []Kind{TooHungry}},
		{"cyclic pages", PDF, pdfFile("<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Count 9/Kids[2 0 R 2 0 R 3 0 R]>>", "<</Type/Page/Parent 3 0 R>>"), patient, "", []Kind{TooDeep}},
		{"form in itself", PDF, pdfFile("<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[3 0 R]>>", "<</Type/Page/Contents 4 0 R/Resources<</XObject<</F 4 0 R>>>>>>",
			"<</Subtype/Form/Length 40>>\nstream\nBT (before) Tj ET /F Do /F Do           \nendstream"), patient, "before", []Kind{TooDeep}},
		{"deep array", PDF, pdfFile("<</Type/Catalog/Pages 2 0 R>>", strings.Repeat("[", 1<<20)), patient, "", []Kind{0, Damaged, TooDeep, TooHungry}},
		{"xref of itself", PDF, []byte("%PDF-1.4\nxref\n0 1\n0000000000 65535 f \ntrailer<</Size 1/Prev 9/Root 1 0 R>>\nstartxref\n9\n%%EOF\n"), Limits{Input: 1 << 20, Output: 1 << 20, Memory: patient.Memory, Time: 2 * time.Second, Nesting: 9}, "", []Kind{Damaged, TooSlow, TooHungry}},
		{"length of itself", PDF, pdfFile("<</Type/Catalog/Pages 2 0 R>>", "2 0 R"), Limits{Input: 1 << 20, Output: 1 << 20, Memory: patient.Memory, Time: 2 * time.Second, Nesting: 9}, "", []Kind{0, Damaged, TooSlow, TooDeep, TooHungry}},
	} {
		if raceDetector && c.name == "hungry" {
			continue // the detector has memory of its own, and its own ways when there is no more
		}
		got, kind := extracted(t, c.format, c.data, c.limits)
		ok := false
		for _, k := range c.kind {
			ok = ok || k == kind
		}
		if !ok || !strings.Contains(got, c.want) || int64(len(got)) > c.limits.Output || !utf8.ValidString(got) {
			t.Errorf("%s: kind %v, want %v; text %.60q (%d octets), want %q", c.name, kind, c.kind, got, len(got), c.want)
		}
	}
}

// repeat is an endless reader of a text.
func repeat(text string) io.Reader { return &repeated{text: text} }

type repeated struct {
	text string
	at   int
}

func (r *repeated) Read(p []byte) (n int, err error) {
	for n < len(p) {
		m := copy(p[n:], r.text[r.at:])
		n, r.at = n+m, (r.at+m)%len(r.text)
	}
	return n, nil
}

// pdfFile makes a PDF of objects 1, 2, …, the first of which is the catalog.
func pdfFile(objects ...string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.4\n")
	var offsets []int
	for i, object := range objects {
		offsets = append(offsets, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, object)
	}
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, offset := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", offset)
	}
	fmt.Fprintf(&b, "trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, start)
	return b.Bytes()
}

// page is a PDF of one page.
func page(content string) []byte {
	return pdfFile("<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Count 1/Kids[3 0 R]/Resources<</Font<</F 5 0 R/U 6 0 R>>/XObject<</X 8 0 R>>>>>>",
		"<</Type/Page/Parent 2 0 R/Contents 4 0 R>>", stream("", content),
		"<</Type/Font/Subtype/Type1/BaseFont/Courier/Encoding/WinAnsiEncoding/FirstChar 0/LastChar 255/Widths["+strings.Repeat("600 ", 256)+"]>>",
		"<</Type/Font/Subtype/Type0/Encoding/Identity-H/ToUnicode 7 0 R/DescendantFonts[<</DW 600>>]>>",
		stream("", "begincmap\n1 begincodespacerange\n<0000> <ffff>\nendcodespacerange\n2 beginbfchar\n<0001> <0416>\n<0002> <65e5>\nendbfchar\nendcmap\n"),
		stream("/Subtype/Form", "BT /F 10 Tf 1 0 0 1 10 10 Tm (in a form) Tj ET"))
}

func stream(dict, content string) string {
	return fmt.Sprintf("<<%s/Length %d>>\nstream\n%s\nendstream", dict, len(content), content)
}

func TestPDF(t *testing.T) {
	for _, c := range []struct{ content, want string }{
		{"BT /F 10 Tf 72 700 Td (Hello) Tj 0 -14 Td (World) Tj ET", "Hello\r\nWorld"},
		{"BT /F 10 Tf 72 700 Td [(Hel) 20 (lo) -600 (there)] TJ ET", "Hello there"},
		{"BT /F 10 Tf 72 700 Td (Hel) Tj 18 0 Td (lo) Tj 40 0 Td (far) Tj ET", "Hello far"},
		{"BT /F 10 Tf 9 Tw 72 700 Td (a b c) Tj 48 0 Td (d) Tj ET", "a b cd"},
		{"BT /F 10 Tf 5 Tc 200 Tz 72 700 Td (abc) Tj 66 0 Td (d) Tj 66 0 Td (e) Tj ET", "abcd e"},
		{"BT /F 1 Tf 10 0 0 10 72 700 Tm (Hel) Tj 1.8 0 Td (lo) Tj 0 -1.2 Td (next) Tj ET", "Hello\r\nnext"},
		{"BT /F 10 Tf 12 TL (a) Tj T* (b) Tj (c) ' 1 2 (d) \" ET", "a\r\nb\r\nc\r\nd"},
		{"BT /F 10 Tf (K\xf6ln \\050x\\051 \\226) Tj ET", "Köln (x) –"},
		{"BT /U 10 Tf <00010002> Tj ET", "Ж日"},
		{"BT /F 10 Tf (a) Tj ET /X Do BT /F 10 Tf (b) Tj ET", "a\r\nin a form\r\nb"},
		{"BT /None 10 Tf (a) Tj ET", "a"},
		{"q 1 0 0 1 0 0 cm Q", ""},
	} {
		if got, kind := extracted(t, PDF, page(c.content), patient); got != c.want || kind != 0 {
			t.Errorf("%q: %v\ngot  %q\nwant %q", c.content, kind, got, c.want)
		}
	}
}

// TestTools reads what other programs wrote; testdata/README says which.
func TestTools(t *testing.T) {
	for name, want := range map[string]Kind{"groff.pdf": 0, "objstm.pdf": 0, "encrypted.pdf": Encrypted, "readable.pdf": 0} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		got, kind := extracted(t, PDF, data, patient)
		if kind != want {
			t.Errorf("%s: %v, want %v", name, kind, want)
		}
		for _, line := range []string{"Quarterly report", "The roost of the naïve rooks costs 1,234.50 € this year, and it is paid in several rates, for which", "Second page"} {
			if want == 0 && !strings.Contains(got, line) {
				t.Errorf("%s: no %q in\n%s", name, line, got)
			}
		}
	}
}

// TestConfined: nothing can be opened by a process that limited itself.
func TestConfined(t *testing.T) {
	const confined = "ROOST_TEST_CONFINED"
	if os.Getenv(confined) == "" {
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestConfined$")
		cmd.Env = append(os.Environ(), confined+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	if err := confine(patient.Memory, 60); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Open("/etc/passwd"); !errors.Is(err, syscall.EMFILE) {
		t.Error("open: ", err)
	}
	if _, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0); !errors.Is(err, syscall.EMFILE) {
		t.Error("socket: ", err)
	}
}

func TestErrorsOfOthers(t *testing.T) {
	doc := archive(t, "content.xml", "<p>text</p>")
	mine := errors.New("mine")
	broken := func() (io.Reader, error) {
		return io.MultiReader(bytes.NewReader(doc[:10]), iotest.ErrReader(mine)), nil
	}
	if _, err := documents.Text(t.Context(), Office, broken, patient); err != mine {
		t.Errorf("reader: %v", err)
	}
	closed := func() (io.Reader, error) { return nil, mine }
	if _, err := documents.Text(t.Context(), Office, closed, patient); err != mine {
		t.Errorf("open: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := documents.Text(ctx, Office, from(bytes.NewReader(doc)), patient); err != context.Canceled {
		t.Errorf("context: %v", err)
	}
	if text, kind := extracted(t, Office, doc, patient); text != "text" || kind != 0 {
		t.Errorf("after these: %q, %v", text, kind)
	}
}

func TestFormatOf(t *testing.T) {
	for _, c := range []struct {
		mediaType, filename string
		want                Format
	}{
		{"application/pdf", "", PDF},
		{"Application/PDF; name=x", "x.docx", PDF},
		{"application/octet-stream", "Rechnung.PDF", PDF},
		{"application/vnd.openxmlformats-officedocument.wordprocessingml.document", "", Office},
		{"application/vnd.ms-excel.sheet.macroEnabled.12", "", Office},
		{"application/vnd.oasis.opendocument.text", "", Office},
		{"", "a.b.odp", Office},
		{"image/png", "x.png", None},
		{"application/zip", "x.zip", None},
		{"", "", None},
	} {
		if got := FormatOf(c.mediaType, c.filename); got != c.want {
			t.Errorf("%q %q: %q, want %q", c.mediaType, c.filename, got, c.want)
		}
	}
}

// FuzzRead reads documents in this process, in which nothing but limits of memory and time keeps a child from harm: neither may panic.
func FuzzRead(f *testing.F) {
	f.Add("pdf", page("BT /F 10 Tf 72 700 Td [(Hel) 20 (lo) -600 (there)] TJ ET /X Do"))
	f.Add("office", archive(f, "content.xml", odfOpen+"<text:p>a</text:p>"+odfEnd))
	f.Fuzz(func(t *testing.T, format string, data []byte) {
		var out bytes.Buffer
		l := Limits{Output: 1 << 16, Nesting: 16}
		var failed *Error
		if err := read(Format(format), data, l, &out); err != nil && !errors.As(err, &failed) {
			t.Error(err)
		}
		if int64(out.Len()) > l.Output || !utf8.Valid(out.Bytes()) {
			t.Errorf("%d octets: %.100q", out.Len(), out.Bytes())
		}
	})
}
