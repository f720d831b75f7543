//go:build race

package peertest

// raceDetector says that roost has to be built with the race detector too.
const raceDetector = true
