//go:build !race

package cli

// raceDetector says that roost runs with the race detector, which takes memory of its own.
const raceDetector = false
