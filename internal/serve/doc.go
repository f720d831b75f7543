// Package serve puts a server together from its parts and runs it: state directory, certificate, listeners, users' mail, signals.
//
// Files: plan.go what is to be served, from a Maildir or a configuration; run.go running it; location.go where a user's mail is; stores.go
// mail roots shared by sessions; state.go the state directory; password.go generated passwords; memory.go how much memory there is and who gets it;
// garbage.go how much of it waits to be collected;
// sandbox.go what the server keeps of the file system.
package serve
