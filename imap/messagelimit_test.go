package imap

import (
	"fmt"
	"testing"
)

func TestBatches(t *testing.T) {
	for _, tt := range []struct {
		cut  bool
		n    int
		want string
	}{
		{false, 2, "[[1 2] [3 4] [5]]"},
		{true, 2, "[[4 5] [2 3] [1]]"},
		{true, 5, "[[1 2 3 4 5]]"},
		{true, 9, "[[1 2 3 4 5]]"},
	} {
		var got [][]int
		for b := range batches(&command{cut: tt.cut}, []int{1, 2, 3, 4, 5}, tt.n) {
			got = append(got, b)
		}
		if text := fmt.Sprint(got); text != tt.want {
			t.Errorf("batches of %d, cut %t: %s, want %s", tt.n, tt.cut, text, tt.want)
		}
	}
	for b := range batches(&command{cut: true}, []int{1, 2, 3}, 1) {
		if b[0] != 3 {
			t.Error("did not stop")
		}
		break
	}
}
