//go:build !race

package extract

// raceDetector says that children run with the race detector, which takes memory of its own.
const raceDetector = false
