package index

import (
	"context"
	"encoding/base64"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"roost/maildir"
	"roost/maildir/message"
)

func attach(t *testing.T, document string) string {
	t.Helper()
	b, err := os.ReadFile("../internal/extract/testdata/" + document)
	if err != nil {
		t.Fatal(err)
	}
	return "Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nbody text\r\n--b\r\nContent-Type: application/pdf\r\n" +
		"Content-Transfer-Encoding: base64\r\n\r\n" + base64.StdEncoding.EncodeToString(b) + "\r\n--b--\r\n"
}

// found returns the UIDs whose body the index says contains the needle.
func found(t *testing.T, x *Index, box *maildir.Mailbox, needle string) (uids []uint32) {
	t.Helper()
	r := x.Reader(box)
	defer r.Close()
	n := NewNeedle(needle)
	hits, err := r.Find(t.Context(), InBody, n)
	if err != nil {
		t.Fatal(err)
	}
	texts := r.Texts()
	for _, uid := range box.UIDs() {
		doc, ok := r.Doc(uid)
		if !ok {
			t.Fatalf("message %d is not indexed", uid)
		}
		a := hits.Of(doc)
		if a == Maybe {
			a = texts.Contains(doc, hits, n)
		}
		if a == Maybe {
			t.Errorf("%q in message %d is not decided", needle, uid)
		} else if a == Yes {
			uids = append(uids, uid)
		}
	}
	return uids
}

// TestAttachments: what the text of attachments counts for, by the index and by reading; another choice makes the index anew.
func TestAttachments(t *testing.T) {
	store, box := testMail(t)
	deliver(t, box, attach(t, "groff.pdf"), attach(t, "encrypted.pdf"), "Subject: y\r\n\r\nbody text\r\n")
	dir := t.TempDir()
	phrase := "Quarterly report\r\n"
	for _, tt := range []struct {
		mode   Attachments
		ranked []uint32 // with a word of the document
		in     []uint32 // with a phrase
		unread int
	}{
		{AttachmentsNone, nil, nil, 0},
		{AttachmentsFuzzy, []uint32{1}, nil, 1},
		{AttachmentsText, []uint32{1}, []uint32{1}, 1},
		{"", nil, nil, 0},
	} {
		x, err := Open(dir, Options{Languages: []string{"en"}, Attachments: tt.mode}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time there is nothing to do
			if err := x.Update(t.Context(), Follower{Store: store}); err != nil {
				t.Fatal(err)
			}
			if got := ranks(t, x, box, InBody, "reports"); !slices.Equal(got, tt.ranked) {
				t.Errorf("%s: ranked are %v, want %v", tt.mode, got, tt.ranked)
			}
			if got := found(t, x, box, phrase); !slices.Equal(got, tt.in) {
				t.Errorf("%s: found are %v, want %v", tt.mode, got, tt.in)
			}
			if got := found(t, x, box, "body text"); len(got) != 3 {
				t.Errorf("%s: the text is found in %v", tt.mode, got)
			}
			if p, err := ReadProgress(dir); err != nil || p.Unread != tt.unread {
				t.Errorf("%s: %d could not be read (%v), want %d", tt.mode, p.Unread, err, tt.unread)
			}
		}
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var documents Documents
	defer documents.Close()
	for uid, want := range map[uint32]bool{1: true, 2: false, 3: false} {
		f, err := box.OpenMessage(uid)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		m, err := message.Parse(f, f.Size(), message.DefaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		is := []bool{false}
		if err := documents.Match(t.Context(), f, m, []Needle{NewNeedle(phrase)}, is, func() bool { return false }); err != nil || is[0] != want {
			t.Errorf("message %d read: %v, %v", uid, is[0], err)
		}
	}
}

// TestManyAttachments: documents without end in one message take their time together, not each.
func TestManyAttachments(t *testing.T) {
	b, err := os.ReadFile("../internal/extract/testdata/groff.pdf")
	if err != nil {
		t.Fatal(err)
	}
	part := "--b\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.StdEncoding.EncodeToString(b) + "\r\n"
	raw := "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat(part, attachmentsMost+20) + "--b--\r\n"
	m, err := message.Parse(strings.NewReader(raw), int64(len(raw)), message.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	failures := 0
	var documents Documents
	defer documents.Close()
	texts, err := documents.texts(t.Context(), strings.NewReader(raw), m, func(*message.Part, error) { failures++ })
	if err != nil || len(texts)+failures != attachmentsMost {
		t.Errorf("%d texts, %d failures in %v: %v", len(texts), failures, time.Since(start), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := documents.texts(ctx, strings.NewReader(raw), m, func(_ *message.Part, err error) { slog.Error("failed", "cause", err) }); err == nil {
		t.Error("it goes on when nobody waits")
	}
}

// BenchmarkDocuments looks for a phrase in a message with a PDF: with the reader of the message before, and with one that has to be started.
func BenchmarkDocuments(b *testing.B) {
	pdf, err := os.ReadFile("../internal/extract/testdata/groff.pdf")
	if err != nil {
		b.Fatal(err)
	}
	raw := "Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.StdEncoding.EncodeToString(pdf) + "\r\n"
	m, err := message.Parse(strings.NewReader(raw), int64(len(raw)), message.DefaultLimits)
	if err != nil {
		b.Fatal(err)
	}
	needles := []Needle{NewNeedle("what is in no document")}
	match := func(b *testing.B, d *Documents) {
		if err := d.Match(b.Context(), strings.NewReader(raw), m, needles, []bool{false}, func() bool { return false }); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("kept", func(b *testing.B) {
		var d Documents
		defer d.Close()
		for b.Loop() {
			match(b, &d)
		}
	})
	b.Run("started", func(b *testing.B) {
		for b.Loop() {
			var d Documents
			match(b, &d)
			d.Close()
		}
	})
}
