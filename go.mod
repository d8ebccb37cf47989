module github.com/sluicemesh/sluice

go 1.26
