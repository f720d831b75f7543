package cli

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// withAttachment is a message with a document.
func withAttachment(mediaType, name string, document []byte) string {
	var lines strings.Builder
	for text := base64.StdEncoding.EncodeToString(document); text != ""; {
		n := min(len(text), 76)
		lines.WriteString(text[:n] + "\r\n")
		text = text[n:]
	}
	return "Subject: see the attachment\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nHere it is.\r\n--b\r\n" +
		"Content-Type: " + mediaType + "\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"" + name + "\"\r\n\r\n" +
		lines.String() + "--b--\r\n"
}

// docx is a document of Office Open XML.
func docx(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range map[string]string{
		"[Content_Types].xml": `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>`,
		"word/document.xml": `<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>` + text +
			`</w:t></w:r></w:p></w:body></w:document>`,
	} {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write([]byte(content))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestAttachments: the text of documents is found as search.attachments says, in the sandbox, and a document that cannot be read is only that.
func TestAttachments(t *testing.T) {
	t.Parallel()
	pdf, err := os.ReadFile("../extract/testdata/groff.pdf")
	if err != nil {
		t.Fatal(err)
	}
	locked, err := os.ReadFile("../extract/testdata/encrypted.pdf")
	if err != nil {
		t.Fatal(err)
	}
	mail := []string{
		withAttachment("application/pdf", "report.pdf", pdf),
		withAttachment("application/octet-stream", "Letter.DOCX", docx(t, "The quotations of our furniture")),
		withAttachment("application/pdf", "secret.pdf", locked),
	}
	for _, tt := range []struct {
		conf               string
		fuzzy, text, index bool
	}{
		{`attachments = "none"`, false, false, true},
		{``, true, false, true},
		{`attachments = "text"`, true, true, true},
		{"attachments = \"text\"\nenabled = false", false, true, false},
	} {
		t.Run(tt.conf, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, sandboxConf+"[search]\n"+tt.conf+"\n")
			p := start(t, nil, "serve", "--config", h.path("roost.conf"))
			i := dial(t, p.plain, false)
			i.ok("LOGIN alice a")
			for _, m := range mail {
				i.ok(fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(m), m))
			}
			i.ok("SELECT INBOX")
			if tt.index {
				for until := time.Now().Add(time.Minute); !strings.Contains(i.do(`SEARCH FUZZY BODY "heer"`), "* SEARCH 1 2 3"); time.Sleep(50 * time.Millisecond) {
					if time.Now().After(until) {
						t.Fatalf("the mail is not indexed:\n%s", p.errs.String())
					}
				}
			}
			check := func(found bool, program, numbers string) {
				t.Helper()
				want := "* SEARCH\r\n"
				if found {
					want = "* SEARCH " + numbers + "\r\n"
				}
				if got := i.do("SEARCH " + program); !strings.Contains(got, want) { // notices of progress may come before
					t.Errorf("SEARCH %s: %q, want %q", program, got, want)
				}
			}
			if tt.index {
				check(tt.fuzzy, "FUZZY BODY quotation", "2")
				check(tt.fuzzy, "FUZZY TEXT quarterley", "1")
			}
			check(tt.text, `BODY "quotations of our fur"`, "2")
			check(tt.text, "TEXT uarterly", "1")
			check(true, "TEXT report.pdf", "1") // names are in headers
			check(true, "BODY here", "1 2 3")
			p.stop()
			if log := p.errs.String(); tt.index && strings.Count(log, "cannot read an attachment") != map[bool]int{true: 1}[tt.fuzzy] || strings.Contains(log, "quotation") {
				t.Errorf("the log:\n%s", log)
			}
		})
	}
}
