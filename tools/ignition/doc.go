// Package ignition compares what we make of Ignition and Butane with what their
// own programs make of them.
package ignition
