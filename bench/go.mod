module roost/bench

go 1.26.0
