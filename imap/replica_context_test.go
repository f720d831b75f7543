package imap

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// followed is a SEARCH or SORT whose result the server keeps up to date (RFC 5267 §4).
type followed struct {
	tag  string
	uid  bool
	by   string // of SORT, as in the command; "" of SEARCH
	key  string
	list []uint32 // the result as told: UIDs, or sequence numbers
	lost bool     // nothing is known of it any more: it is being cancelled, or numbers are unclear
}

// once is how the same is asked for once, with UIDs.
func (x *followed) once() string {
	if x.by == "" {
		return "UID SEARCH " + x.key
	}
	return fmt.Sprintf("UID SORT (%s) UTF-8 %s", x.by, x.key)
}

// maxFollowed is how many searches a client follows; the server has room for a few more.
const maxFollowed = 4

// doFollow begins to follow a search, or ends it.
func (c *replica) doFollow(rnd *rand.Rand) {
	if len(c.followed) > 0 && (len(c.followed) == maxFollowed || rnd.IntN(4) == 0) {
		i := rnd.IntN(len(c.followed))
		c.followed[i].lost = true
		if strings.HasPrefix(c.cmd("CANCELUPDATE %q", c.followed[i].tag), "OK") {
			c.followed = slices.Delete(c.followed, i, i+1)
		}
		return
	}
	x := &followed{
		uid: c.notify == 2 || rnd.IntN(2) == 0,
		by:  pick(rnd, []string{"", "", "SUBJECT", "REVERSE SUBJECT", "REVERSE ARRIVAL", "SIZE REVERSE SUBJECT"}),
		key: pick(rnd, []string{"ALL", "FLAGGED", "UNSEEN", "NOT DELETED", "KEYWORD k01", "UNKEYWORD k02", "OR ANSWERED KEYWORD k03", "UID 3:9", "UID 5:*", "SUBJECT m1"}),
	}
	if c.condstore && rnd.IntN(6) == 0 {
		x.key = fmt.Sprintf("MODSEQ %d", max(c.highest, 1))
	}
	command := "SEARCH RETURN (ALL UPDATE) " + x.key
	if x.by != "" {
		command = fmt.Sprintf("SORT RETURN (UPDATE ALL) (%s) UTF-8 %s", x.by, x.key)
	}
	if x.uid {
		command = "UID " + command
	}
	if tagged := c.command(&running{follow: x}, "%s", command); !strings.HasPrefix(tagged, "OK") {
		c.unfollow(x.tag)
	}
}

func (c *replica) unfollow(tag string) {
	c.followed = slices.DeleteFunc(c.followed, func(x *followed) bool { return x.tag == tag })
}

var (
	contextLine  = regexp.MustCompile(`^\* ESEARCH \(TAG "([^"]*)"\)( UID)?(.*)$`)
	contextAll   = regexp.MustCompile(` ALL ([0-9:,]+)`)
	contextPairs = regexp.MustCompile(` (ADDTO|REMOVEFROM) \(([0-9:, ]+)\)`)
	noUpdate     = regexp.MustCompile(`\[NOUPDATE "([^"]*)"\]`)
)

// applySearch takes in an ESEARCH response: of the command that runs, or an update.
func (c *replica) applySearch(line string) {
	m := contextLine.FindStringSubmatch(line)
	if m == nil {
		c.fault("%s", line)
		return
	}
	all := contextAll.FindStringSubmatch(m[3])
	if all != nil && c.run != nil && m[1] == c.run.tag {
		c.run.found = numbersOf(all[1])
	}
	i := slices.IndexFunc(c.followed, func(x *followed) bool { return x.tag == m[1] })
	pairs := contextPairs.FindAllStringSubmatch(m[3], -1)
	if i < 0 {
		if len(pairs) > 0 {
			c.fault("%s, but that is not followed", line)
		}
		return
	}
	x := c.followed[i]
	if x.lost {
		return
	}
	if x.uid != (m[2] != "") {
		c.fault("%s, but it was asked for otherwise", line)
	}
	if all != nil {
		x.list = numbersOf(all[1])
	}
	for _, p := range pairs {
		for pair := range slices.Chunk(strings.Fields(p[2]), 2) {
			at, _ := strconv.Atoi(pair[0])
			if problem := x.update(p[1] == "ADDTO", at, numbersOf(pair[1])); problem != "" {
				c.fault("%s: %s; it has %v", line, problem, x.list)
				return
			}
		}
	}
	for _, n := range x.list {
		if !x.uid && (n < 1 || int(n) > len(c.msgs)) {
			c.fault("%s, but it has %d messages", line, len(c.msgs))
		}
	}
}

// update applies a pair of ADDTO or REMOVEFROM. The place, from 1 on, is 0 where the order is of no account.
func (x *followed) update(add bool, at int, nums []uint32) string {
	for _, n := range nums {
		if slices.Contains(x.list, n) == add {
			return fmt.Sprintf("%d is there: %v", n, !add)
		}
	}
	if at == 0 && x.by != "" {
		return "it is sorted"
	}
	switch {
	case at == 0 && add:
		x.list = append(x.list, nums...)
	case at == 0:
		x.list = slices.DeleteFunc(x.list, func(n uint32) bool { return slices.Contains(nums, n) })
	case add && at <= len(x.list)+1:
		x.list = slices.Insert(x.list, at-1, nums...)
	case !add && at-1+len(nums) <= len(x.list) && slices.Equal(x.list[at-1:at-1+len(nums)], nums):
		x.list = slices.Delete(x.list, at-1, at-1+len(nums))
	default:
		return fmt.Sprintf("%v are not at %d", nums, at)
	}
	return ""
}

// expunged adjusts sequence numbers to the removal of message i, which must have been taken from all results before (RFC 5267 §4.3.4).
func (c *replica) expunged(line string, i int) {
	for _, x := range c.followed {
		n := uint32(i + 1)
		if x.uid {
			n = c.msgs[i].uid
		} else if c.msgs[i].uid == 0 && c.qresync {
			x.lost = true // it was told by its UID, and could be another
		}
		if x.lost {
			continue
		}
		if slices.Contains(x.list, n) {
			c.fault("%s, but %d, UID %d, is still among the results of %s: %v", line, i+1, c.msgs[i].uid, x.tag, x.list)
		}
		for j := range x.list {
			if !x.uid && x.list[j] > n {
				x.list[j]--
			}
		}
	}
	c.msgs = slices.Delete(c.msgs, i, i+1)
}

// contextDifference says how what is followed differs from what the same search finds.
func (c *replica) contextDifference() string {
	for _, x := range slices.Clone(c.followed) {
		run := &running{}
		if x.lost {
			continue
		}
		if !strings.HasPrefix(c.command(run, "%s", x.once()), "OK") {
			return ""
		}
		got := slices.Clone(x.list)
		if !x.uid {
			for i, n := range got {
				got[i] = c.msgs[n-1].uid
			}
		}
		if x.by == "" {
			slices.Sort(got)
		}
		if !slices.Equal(got, run.found) {
			return fmt.Sprintf("%s (%s) is followed as %v, and now finds %v", x.tag, x.once(), got, run.found)
		}
	}
	return ""
}
