// Package authenticode is the signatures of programs that a firmware starts.
//
// Signatures are made where images are built, and checked where they are put in
// place: a node asks before a restart what its firmware would say after it. They
// hold no time: the same program signed with the same key gives the same bytes.
package authenticode
