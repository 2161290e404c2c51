// Package secureboot signs what a firmware starts, and makes the firmware of a
// virtual machine accept nothing else.
//
// Signatures are Authenticode, as the Portable Executable format carries them.
// They hold no time: the same program signed with the same key gives the same
// bytes. Keys for development are made once and lie in a directory; those of
// releases are given by their files.
package secureboot
