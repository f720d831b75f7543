package imap

import (
	"slices"
	"strings"

	"roost/imap/wire"
	"roost/maildir"
)

// searchOptions are the result options of a SEARCH as they apply.
type searchOptions struct {
	wire.SearchReturn
	extended bool // the answer is ESEARCH
	scored   bool // relevancy is asked for, or sorted by
	sorted   bool // results are in another order than that of the mailbox, and MIN and MAX are the first and the last (RFC 5267 §3.1)
}

// searchReturn applies the defaults: RETURN () means ALL, and with IMAP4rev2 the answer is always ESEARCH (RFC 9051 §6.4.4).
func searchReturn(r wire.SearchReturn, rev2 bool) searchOptions {
	o := searchOptions{SearchReturn: r, extended: r.Present || rev2}
	if !r.Present || !(r.Min || r.Max || r.All || r.Count || r.Save || r.Partial != nil || r.Update) {
		o.All = true
	}
	return o
}

// whole tells that all results are reported, or saved when nothing is: unless only MIN and MAX are asked for, or PARTIAL.
func (o searchOptions) whole() bool {
	return o.All || o.Count || !o.Min && !o.Max && o.Partial == nil
}

// toSave returns what "$" becomes (RFC 5182 §2.4, RFC 9394 §3.2).
func (o searchOptions) toSave(uids []uint32) []uint32 { return o.ascending(o.reported(uids)) }

// reported returns what the options name of the results.
func (o searchOptions) reported(uids []uint32) []uint32 {
	n := len(uids)
	if o.whole() || n == 0 {
		return uids
	}
	from, to := 0, 0
	if o.Partial != nil {
		from, to = o.Partial.Of(n)
	}
	var out []uint32
	if o.Min && (from > 0 || from == to) {
		out = append(out, uids[0])
	}
	out = append(out, uids[from:to]...)
	if last := uids[n-1]; o.Max && (len(out) == 0 || out[len(out)-1] != last) {
		out = append(out, last)
	}
	return out
}

// ascending returns results in the order of the mailbox.
func (o searchOptions) ascending(uids []uint32) []uint32 {
	if !o.sorted {
		return uids
	}
	uids = slices.Clone(uids)
	slices.Sort(uids)
	return uids
}

// highest returns the highest MODSEQ of what is reported (RFC 7162 §3.1.6, §3.1.10); 0 of nothing.
func (o searchOptions) highest(box *maildir.Mailbox, uids []uint32) (top maildir.ModSeq) {
	for _, rec := range box.Records(o.ascending(o.reported(uids)), nil) {
		top = max(top, rec.ModSeq)
	}
	return top
}

// writeSearch writes the untagged answer to SEARCH or SORT.
func (s *session) writeSearch(c *command, o searchOptions, uids []uint32, pl *plan) {
	var top maildir.ModSeq
	if pl.modSeq {
		top = o.highest(s.view.box, uids)
	}
	nums := uids
	if !c.isUID() {
		nums = make([]uint32, 0, len(uids))
		near := 0
		for _, uid := range uids {
			if seq := s.view.seqNear(uid, &near); seq != 0 {
				nums = append(nums, seq)
			}
		}
	}
	if !o.extended {
		s.enc.Raw("* ").Raw(strings.TrimPrefix(c.name, "UID "))
		for _, n := range nums {
			s.enc.SP().Number(int64(n))
		}
		if top != 0 {
			s.enc.Raw(" (MODSEQ ").Number(int64(top)).Raw(")")
		}
		s.enc.CRLF()
		return
	}
	if !(o.Min || o.Max || o.All || o.Count || o.Relevancy || o.Partial != nil) {
		return // RFC 5182 §2.1: SAVE alone has no untagged answer, nor has UPDATE
	}
	s.enc.Raw("* ESEARCH (TAG ").String(c.tag).Raw(")")
	if c.isUID() {
		s.enc.Raw(" UID")
	}
	s.writeResult(o, uids, nums, top, pl)
}

// writeResult writes what ESEARCH says of results, which the client knows by these numbers, and ends the line.
func (s *session) writeResult(o searchOptions, uids, nums []uint32, top maildir.ModSeq, pl *plan) {
	if len(nums) > 0 {
		if o.Min {
			s.enc.Raw(" MIN ").Number(int64(nums[0]))
		}
		if o.Max {
			s.enc.Raw(" MAX ").Number(int64(nums[len(nums)-1]))
		}
		if o.All {
			s.enc.Raw(" ALL ").Set(nums)
		}
	}
	if o.Partial != nil {
		s.writePage(o.Partial, nums)
	}
	if o.Count {
		s.enc.Raw(" COUNT ").Number(int64(len(nums)))
	}
	if o.Relevancy {
		s.writeScores(pl, o.reported(uids))
	}
	if top != 0 {
		s.enc.Raw(" MODSEQ ").Number(int64(top))
	}
	s.enc.CRLF()
}

// writePage writes PARTIAL: the range as it was asked for, and what of the results is in it.
func (s *session) writePage(r *wire.PageRange, nums []uint32) {
	sign := ""
	if r.FromEnd {
		sign = "-"
	}
	s.enc.Raw(" PARTIAL (").Raw(sign).Number(int64(r.First)).Raw(":").Raw(sign).Number(int64(r.Last)).SP()
	if from, to := r.Of(len(nums)); from < to {
		s.enc.Set(nums[from:to])
	} else {
		s.enc.Nil()
	}
	s.enc.Raw(")")
}
