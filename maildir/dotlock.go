package maildir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A dotlock is a file whose existence is the lock: created exclusively, removed to release it. Dovecot's rules, which have to be
// followed exactly because both sides judge each other's locks by them:
//
// dovecot-uidlist.lock holds "<pid>:<host>". A waiter that finds it more than 2 s old looks at the owner. On the same host a dead
// process has lost its lock at once, and a living one keeps it for ever. Otherwise the lock is stale when it and the file it guards
// have not changed for 120 s. subscriptions.lock has no owner in it, and is stale after 30 s.
//
// A lock with our own process id is stale to Dovecot; inside the process a mutex comes first. Here the locks held by
// this process are remembered, so that two stores of the same root exclude each other, and only a lock of an earlier
// process with our id is stale.

// lockHost is the host name in locks. It must differ from other programs' on this Maildir when they run in another PID
// namespace under the same host name (containers), because each would think the other dead: append a suffix then.
var lockHost = hostName()

// hostName is what Dovecot calls this host.
func hostName() string {
	if h := os.Getenv("DOVECOT_HOSTNAME"); h != "" {
		return h
	}
	h, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	return h
}

// lockRules are what differs between dotlocks.
type lockRules struct {
	name    string        // the lock file
	guarded string        // the file it is about
	owner   bool          // "<pid>:<host>" in it
	stale   time.Duration // without change, when the owner cannot be asked
	wait    time.Duration // longest wait
}

var (
	uidlistLock      = lockRules{"dovecot-uidlist.lock", uidlistName, true, 120 * time.Second, 122 * time.Second}
	subscriptionLock = lockRules{"subscriptions.lock", "subscriptions", false, 30 * time.Second, 120 * time.Second}
)

// ownerAge is how old a lock must be before its owner is looked at. Dovecot waits 2 s; a dead owner is as dead after a tenth of that, and
// who restarts after a crash should not wait.
const ownerAge = 100 * time.Millisecond

// Waiting starts with short polls, because Dovecot holds its locks for milliseconds.
const (
	firstPoll = time.Millisecond
	lastPoll  = 200 * time.Millisecond
)

// dotlock is a lock that is held. Its file stays open, so that its inode cannot become another lock's.
type dotlock struct {
	d     *dir
	rules *lockRules
	f     *os.File
	id    fileInfo
}

// heldLocks are the inodes of lock files that this process holds.
var heldLocks sync.Map // inode → struct{}

type inode struct{ dev, ino uint64 }

// errLockLost says that somebody removed a lock that we held.
var errLockLost = errors.New("lock was taken away by another program")

// lockUIDList takes the lock around everything that numbers, renames, links or removes messages of the mailbox whose control
// directory is d. ErrLocked when ctx ends or Dovecot's 122 s have passed.
func lockUIDList(ctx context.Context, d *dir) (*dotlock, error) { return acquire(ctx, d, &uidlistLock) }

// acquire waits for a lock.
func acquire(ctx context.Context, d *dir, rules *lockRules) (*dotlock, error) {
	p, err := d.perm()
	if err != nil {
		return nil, err
	}
	limit := time.NewTimer(rules.wait)
	defer limit.Stop()
	var seen watch
	for poll := firstPoll; ; poll = min(poll*3/2, lastPoll) {
		l, err := tryLock(d, rules, p)
		if err == nil {
			return l, nil
		} else if !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("making %s/%s: %w", d.path(), rules.name, err)
		}
		overridden, err := seen.override(d, rules)
		if err != nil {
			return nil, err
		}
		if overridden {
			continue
		}
		select {
		case <-time.After(poll):
		case <-ctx.Done():
			return nil, fmt.Errorf("%s/%s: %w: %w", d.path(), rules.name, ErrLocked, context.Cause(ctx))
		case <-limit.C:
			return nil, fmt.Errorf("%s/%s: %w after %v", d.path(), rules.name, ErrLocked, rules.wait)
		}
	}
}

// tryLock creates the lock file, or fails with fs.ErrExist. The file appears with its owner in it: a process that is killed between
// creating it and writing into it would leave a lock that nobody may take away for two minutes.
func tryLock(d *dir, rules *lockRules, p perm) (*dotlock, error) {
	f, named, err := d.createNameless(rules.name, p)
	if err != nil {
		return nil, err
	}
	if rules.owner {
		err = writeOwner(d, f, rules.name)
	}
	fi, serr := statFile(f)
	if err = errors.Join(fileError("write", f.Name(), err), serr); err != nil {
		f.Close()
		if named {
			err = errors.Join(err, d.unlink(rules.name))
		}
		return nil, err
	}
	id := inode{fi.dev, fi.ino}
	heldLocks.Store(id, struct{}{}) // before others in this process can see the file and our own id in it
	if !named {
		if err := d.giveName(f, rules.name); err != nil {
			heldLocks.Delete(id)
			f.Close()
			return nil, err
		}
	}
	return &dotlock{d, rules, f, fi}, nil
}

// writeOwner says in a lock file who holds it. On a full disk it stays empty, or nobody could remove anything to make room: it is a lock all the same,
// to Dovecot too, only that nobody can ask whether its owner lives. If we die, others wait until it counts as stale.
func writeOwner(d *dir, f *os.File, name string) error {
	err := d.fault("write", name)
	if err == nil {
		_, err = f.WriteString(strconv.Itoa(os.Getpid()) + ":" + lockHost)
	}
	if err = fileError("write", f.Name(), err); errors.Is(err, ErrFull) {
		err = f.Truncate(0) // part of a process id would be another's
	}
	return err
}

// unlock releases the lock. errLockLost when it was no longer ours: what was done under it may have been undone or done twice.
func (l *dotlock) unlock() error {
	defer l.f.Close()
	defer heldLocks.Delete(inode{l.id.dev, l.id.ino})
	if err := l.check(); err != nil {
		return err
	}
	return l.d.unlink(l.rules.name)
}

// check tells whether the lock file is still ours.
func (l *dotlock) check() error {
	fi, err := l.d.stat(l.rules.name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !fi.sameFile(l.id) {
		return fmt.Errorf("%s/%s: %w", l.d.path(), l.rules.name, errLockLost)
	}
	return err
}

// commit makes the content written to the lock file that of the guarded file, which releases the lock: how Dovecot
// replaces its small files.
func (l *dotlock) commit() error {
	defer l.f.Close()
	defer heldLocks.Delete(inode{l.id.dev, l.id.ino})
	if err := l.check(); err != nil {
		return err
	}
	err := l.d.syncFile(l.f)
	if err == nil {
		err = l.d.rename(l.rules.name, l.d, l.rules.guarded)
	}
	if err != nil {
		return errors.Join(err, l.d.unlink(l.rules.name))
	}
	return l.d.sync()
}

// touch shows that the holder is alive; to be called every 10 s of long work.
func (l *dotlock) touch() error {
	now := unix.NsecToTimeval(time.Now().UnixNano())
	raw, err := l.f.SyscallConn()
	if err != nil {
		return fileError("utimes", l.f.Name(), err)
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = unix.Futimes(int(fd), []unix.Timeval{now, now}) }); err != nil {
		failed = err
	}
	return fileError("utimes", l.f.Name(), failed)
}

// watch is what a waiter remembers about somebody else's lock.
type watch struct {
	lock, guarded fileInfo
	since         time.Time // when both were first seen like this
	judged        time.Time // when the owner was last looked at
}

// override removes a lock that is stale by the rules. True: try to take it now.
func (w *watch) override(d *dir, rules *lockRules) (bool, error) {
	lock, err := d.stat(rules.name)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	} else if err != nil {
		return false, err
	}
	guarded, err := d.stat(rules.guarded)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	now := time.Now()
	if lock != w.lock || guarded != w.guarded {
		*w = watch{lock: lock, guarded: guarded, since: now}
	}
	if _, ours := heldLocks.Load(inode{lock.dev, lock.ino}); ours {
		return false, nil
	}
	stale := now.Sub(w.since) >= rules.stale
	if rules.owner && !stale {
		if now.Sub(time.Unix(0, lock.mtime)) <= ownerAge || now.Sub(w.judged) < lastPoll {
			return false, nil
		}
		w.judged = now
	}
	if rules.owner {
		if pid, ok := ownerHere(d, rules.name); ok {
			// A living owner keeps its lock whatever its age.
			stale = pid == os.Getpid() || errors.Is(unix.Kill(pid, 0), unix.ESRCH)
		}
	}
	if !stale {
		return false, nil
	}
	return true, remove(d, rules.name, lock)
}

// ownerHere reads the process id of a lock's owner; false when it is not on this host or cannot be read.
func ownerHere(d *dir, name string) (pid int, ok bool) {
	b, _, err := d.readFile(name, 1024)
	if err != nil {
		return 0, false
	}
	num, host, ok := strings.Cut(strings.TrimSuffix(string(b), "\n"), ":")
	pid, err = strconv.Atoi(num)
	return pid, ok && err == nil && pid > 0 && host == lockHost
}

var staleCount atomic.Uint32

// remove takes a stale lock away. Several waiters may try at the same time, and one of them may hold the lock anew already: so the
// file is renamed first, which only one can do, and put back if it is not the stale one.
func remove(d *dir, name string, stale fileInfo) error {
	aside := fmt.Sprintf("%s.stale.%d.%d", name, os.Getpid(), staleCount.Add(1))
	if err := d.renameNoReplace(name, d, aside); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	fi, err := d.stat(aside)
	if err != nil {
		return err
	}
	if !fi.sameFile(stale) || fi.mtime != stale.mtime || fi.size != stale.size {
		return d.renameNoReplace(aside, d, name)
	}
	return d.unlink(aside)
}
