//go:build !race

package parts

const race = false
