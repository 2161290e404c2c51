package containernet

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// table is the table of ours in the kernel's filter of packets.
const table = "bulkhead-containers"

// What the filter compares, in the numbers of the kernel.
const (
	transport = unix.NFT_PAYLOAD_TRANSPORT_HEADER
	header    = unix.NFT_PAYLOAD_NETWORK_HEADER
	source    = 12 // offset of the source in an IPv4 header
	target    = 16 // and of the destination
	local     = 2  // an address is the node's own (RTN_LOCAL)
	dnatDone  = 1 << 5
	answers   = 1<<1 | 1<<2 // belongs to a connection, or is about one
	fibDst    = 1 << 1      // ask about the destination
	fibType   = 3           // ask for the type of an address
	drop      = 0
	accept    = 1
)

// An expression is one step of a rule.
type expression = attribute

func step(name string, list ...attribute) expression {
	return nested(unix.NFTA_LIST_ELEM, text(unix.NFTA_EXPR_NAME, name), nested(unix.NFTA_EXPR_DATA, list...))
}

func value(kind uint16, b []byte) attribute {
	return nested(kind, attribute{unix.NFTA_DATA_VALUE, b})
}

// compare goes on where register 1 has b, or has not.
func compare(op uint32, b []byte) expression {
	return step("cmp", network(unix.NFTA_CMP_SREG, unix.NFT_REG_1), network(unix.NFTA_CMP_OP, op), value(unix.NFTA_CMP_DATA, b))
}

func meta(key uint32) expression {
	return step("meta", network(unix.NFTA_META_KEY, key), network(unix.NFTA_META_DREG, unix.NFT_REG_1))
}

func payload(base, offset, size uint32) expression {
	return step("payload", network(unix.NFTA_PAYLOAD_DREG, unix.NFT_REG_1), network(unix.NFTA_PAYLOAD_BASE, base),
		network(unix.NFTA_PAYLOAD_OFFSET, offset), network(unix.NFTA_PAYLOAD_LEN, size))
}

// onBridge goes on for packets that come from, or go to, the bridge, or for all
// others.
func onBridge(key, op uint32) []expression {
	name := make([]byte, unix.IFNAMSIZ)
	copy(name, Bridge)
	return []expression{meta(key), compare(op, name)}
}

// bits goes on where one of the bits of what conntrack knows is set.
func bits(key, mask uint32) []expression {
	m := binary.NativeEndian.AppendUint32(nil, mask)
	none := make([]byte, 4)
	return []expression{
		step("ct", network(unix.NFTA_CT_KEY, key), network(unix.NFTA_CT_DREG, unix.NFT_REG_1)),
		step("bitwise", network(unix.NFTA_BITWISE_SREG, unix.NFT_REG_1), network(unix.NFTA_BITWISE_DREG, unix.NFT_REG_1),
			network(unix.NFTA_BITWISE_LEN, 4), value(unix.NFTA_BITWISE_MASK, m), value(unix.NFTA_BITWISE_XOR, none)),
		compare(unix.NFT_CMP_NEQ, none),
	}
}

func verdict(code uint32) expression {
	return step("immediate", network(unix.NFTA_IMMEDIATE_DREG, unix.NFT_REG_VERDICT),
		nested(unix.NFTA_IMMEDIATE_DATA, nested(unix.NFTA_DATA_VERDICT, network(unix.NFTA_VERDICT_CODE, code))))
}

func immediate(register uint32, b []byte) expression {
	return step("immediate", network(unix.NFTA_IMMEDIATE_DREG, register), value(unix.NFTA_IMMEDIATE_DATA, b))
}

// forward sends what arrives at a port of the node to the container.
func forward(p Port, to netip.Addr) []expression {
	protocol := byte(unix.IPPROTO_TCP)
	if p.Protocol == "udp" {
		protocol = unix.IPPROTO_UDP
	}
	return []expression{
		step("fib", network(unix.NFTA_FIB_DREG, unix.NFT_REG_1), network(unix.NFTA_FIB_RESULT, fibType), network(unix.NFTA_FIB_FLAGS, fibDst)),
		compare(unix.NFT_CMP_EQ, binary.NativeEndian.AppendUint32(nil, local)),
		meta(unix.NFT_META_L4PROTO), compare(unix.NFT_CMP_EQ, []byte{protocol}),
		payload(transport, 2, 2), compare(unix.NFT_CMP_EQ, binary.BigEndian.AppendUint16(nil, p.Host)),
		immediate(unix.NFT_REG_1, to.AsSlice()), immediate(unix.NFT_REG_2, binary.BigEndian.AppendUint16(nil, p.Container)),
		step("nat", network(unix.NFTA_NAT_TYPE, unix.NFT_NAT_DNAT), network(unix.NFTA_NAT_FAMILY, unix.NFPROTO_IPV4),
			network(unix.NFTA_NAT_REG_ADDR_MIN, unix.NFT_REG_1), network(unix.NFTA_NAT_REG_PROTO_MIN, unix.NFT_REG_2)),
	}
}

// A chain is a list of rules for packets at one place on their way.
type chain struct {
	name, kind string
	hook       uint32
	priority   int32
	rules      [][]expression
}

// chains returns what the filter does for the containers of s.
func (s state) chains() []chain {
	prerouting := chain{name: "prerouting", kind: "nat", hook: unix.NF_INET_PRE_ROUTING, priority: -100}
	output := chain{name: "output", kind: "nat", hook: unix.NF_INET_LOCAL_OUT, priority: -100}
	for _, name := range s.names() {
		l := s.Leases[name]
		for _, p := range l.Ports {
			rule := forward(p, s.address(l.Index))
			prerouting.rules = append(prerouting.rules, rule)
			// What the node sends to 127.0.0.1 cannot leave it.
			elsewhere := []expression{payload(header, target, 1), compare(unix.NFT_CMP_NEQ, []byte{127})}
			output.rules = append(output.rules, append(elsewhere, rule...))
		}
	}
	subnet := s.Subnet.Addr().AsSlice()[:3] // of 24 bits
	ours := []expression{payload(header, source, 3), compare(unix.NFT_CMP_EQ, subnet)}
	masquerade := step("masq")
	postrouting := chain{name: "postrouting", kind: "nat", hook: unix.NF_INET_POST_ROUTING, priority: 100, rules: [][]expression{
		join(ours, onBridge(unix.NFT_META_OIFNAME, unix.NFT_CMP_NEQ), []expression{masquerade}),
		// One container that asks for the port of another at the address of the node
		// has to get its answer from there.
		join(ours, bits(unix.NFT_CT_STATUS, dnatDone), []expression{masquerade}),
	}}
	outward := func() []expression { return onBridge(unix.NFT_META_OIFNAME, unix.NFT_CMP_EQ) }
	filter := chain{name: "forward", kind: "filter", hook: unix.NF_INET_FORWARD, rules: [][]expression{
		join(outward(), bits(unix.NFT_CT_STATE, answers), []expression{verdict(accept)}),
		join(outward(), bits(unix.NFT_CT_STATUS, dnatDone), []expression{verdict(accept)}),
		join(outward(), []expression{verdict(drop)}),
	}}
	return []chain{prerouting, output, postrouting, filter}
}

func join(parts ...[]expression) []expression {
	var all []expression
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// messages returns what replaces the table with one that has chains: at one
// moment, so that there is none without rules.
func messages(chains []chain) []message {
	const create = unix.NLM_F_CREATE
	named := text(unix.NFTA_TABLE_NAME, table)
	list := []message{
		edge("begin", unix.NFNL_MSG_BATCH_BEGIN),
		request("make the table", unix.NFT_MSG_NEWTABLE, create, named),
		request("empty the table", unix.NFT_MSG_DELTABLE, 0, named),
		request("make the table anew", unix.NFT_MSG_NEWTABLE, create, named),
	}
	for _, c := range chains {
		list = append(list, request("make the chain "+c.name, unix.NFT_MSG_NEWCHAIN, create,
			text(unix.NFTA_CHAIN_TABLE, table), text(unix.NFTA_CHAIN_NAME, c.name),
			nested(unix.NFTA_CHAIN_HOOK, network(unix.NFTA_HOOK_HOOKNUM, c.hook), network(unix.NFTA_HOOK_PRIORITY, uint32(c.priority))),
			text(unix.NFTA_CHAIN_TYPE, c.kind)))
		for i, r := range c.rules {
			list = append(list, request(fmt.Sprintf("make rule %d of the chain %s", i+1, c.name), unix.NFT_MSG_NEWRULE, create|unix.NLM_F_APPEND,
				text(unix.NFTA_RULE_TABLE, table), text(unix.NFTA_RULE_CHAIN, c.name), nested(unix.NFTA_RULE_EXPRESSIONS, r...)))
		}
	}
	list[len(list)-1].flags |= unix.NLM_F_ACK
	return append(list, edge("end", unix.NFNL_MSG_BATCH_END))
}

// edge returns the first or last message of a batch.
func edge(what string, kind uint16) message {
	return message{what: what, kind: kind, body: binary.BigEndian.AppendUint16([]byte{unix.AF_UNSPEC, 0}, unix.NFNL_SUBSYS_NFTABLES)}
}

func request(what string, kind, flags uint16, list ...attribute) message {
	return message{
		what: what, kind: unix.NFNL_SUBSYS_NFTABLES<<8 | kind, flags: flags,
		body: append([]byte{unix.NFPROTO_IPV4, 0, 0, 0}, attributes(list...)...),
	}
}

// filter makes the kernel's filter what s asks for.
func (s state) filter() error {
	c, err := open(unix.NETLINK_NETFILTER)
	if err != nil {
		return err
	}
	defer c.close()
	return c.together(messages(s.chains()))
}
