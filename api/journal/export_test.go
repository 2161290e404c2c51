package journal

// Parse is parse, for tests.
var Parse = parse
