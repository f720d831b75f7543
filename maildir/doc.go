// Package maildir keeps mail in Maildir directories that other programs share: Dovecot, delivery agents, mail programs, backups. It knows
// nothing of sockets and IMAP responses.
//
// # Terms
//
// The base of a file name is what precedes its first colon; it is the identity of a message. The uidlist (dovecot-uidlist) says which UID a base
// has. A storage name is a mailbox's name on disk, ".Work.Deep" or "Work/Deep". A record is what is in memory of a message. The modseq is a
// clock of changes per mailbox. The snapshot is the records in the state directory, which can be lost at any time.
//
// # Invariants
//
//   - Everything that cannot be computed again is in the Maildir, in files that Dovecot understands or in plain text beside them.
//   - A UID is on disk before anybody hears of it, never changes, and is never given to another message.
//   - A message is in memory only with a line in the uidlist; UIDs in memory ascend.
//   - Nothing is expunged because one scan did not show it (sync.go).
//   - What Commit, CopyTo and MoveTo report is on disk, file and directory fsynced; what SetFlags and Expunge report survives the death of the
//     process.
//   - A MULTIAPPEND, COPY, MOVE, REPLACE or RENAME is whole or has not happened, also when the process is killed (intent.go).
//   - Every operation on mail is relative to an open directory and names one component; symbolic links are not followed (dir.go).
//
// # Locks, in this order
//
//	Store.tree            names of mailboxes: create, delete, rename, subscribe
//	Mailbox.write         whoever changes files or the uidlist of a mailbox, or scans it
//	dovecot-uidlist.lock  the same between processes; held for milliseconds
//	Mailbox.mu            the records in memory; never across a system call
//
// At most one Mailbox at a time. Store.mu and the locks of the watcher are taken alone; Budget.mu may be taken with Store.mu held, keeper.mu with Budget.mu, quota.mu with
// Mailbox.mu. twins.mu is taken alone, for as long as it takes to look at all mailboxes. quota.looking comes before all locks of mailboxes and is not taken with Store.tree held.
//
// # Files
//
//	tree.go listing.go create.go delete.go rename.go names.go   the mailboxes of a user; treewatch.go: who waits for changes of them
//	subscriptions.go specialuse.go uidvalidity.go               text files in the mail root
//	metadata.go attributes.go metadatanews.go                   annotations, ours and Dovecot's
//	open.go load.go thaw.go                                     opening, keeping warm, closing a mailbox
//	twins.go                                                    a mailbox that is a copy of another
//	moved.go                                                    a Maildir or mailbox that is replaced while it is open
//	budget.go keep.go                                           how much memory mailboxes take together, and what is kept with them
//	mailbox.go meta.go savedate.go api.go                       what callers see of it
//	record.go room.go history.go keywordset.go keywordtable.go  memory
//	sync.go scan.go number.go list.go watch.go inotify.go       noticing what others did
//	change.go turn.go copy.go replace.go intent.go              changes
//	deliver.go storewriter.go flush.go                          new messages
//	state.go snapshot.go snapshotwrite.go cache.go accesskey.go state directory
//	uidlist.go uidlistfile.go keywords.go filename.go           formats
//	quota.go maildirsize.go quotastate.go                       limits, and what mail takes
//	dir.go dirlist.go fileinfo.go messagefile.go perm.go dotlock.go   the file system
package maildir
