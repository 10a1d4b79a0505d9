# Converts docs/reference.md to the input of go-md2man, in the form of CoreDNS's own manual pages: headings in capitals,
# and nothing before the first of them. Tables would take 120 columns, so they become lists: the name, and below it each
# example with its type and reply.
BEGIN { print "% \"COREDNS-HEADLESS\" 7 \"2026-11-28\" \"CoreDNS\" \"CoreDNS Plugins\"" }
/^## / { begun = 1 }
!begun { next }
/^```/ { fenced = !fenced }
fenced { print; next }
{ # a link becomes its text: the manual page is installed without the files around it
	while (match($0, /\[[^][]*\]\([^)]*\)/)) {
		text = substr($0, RSTART + 1, RLENGTH)
		sub(/\]\(.*/, "", text)
		$0 = substr($0, 1, RSTART - 1) text substr($0, RSTART + RLENGTH)
	}
}
/^## / { print toupper(substr($0, 2)); next }
!/^\|/ { rows = 0; print; next }
++rows > 2 {
	n = split($0, cell, / *\| */) # the first and the last are outside
	if (cell[2] != "") print "\n**" cell[2] "**"
	text = ": " cell[3]
	for (i = 4; i < n; i++) text = text (i == n - 1 ? ": " : " ") cell[i]
	print text "\n"
}
