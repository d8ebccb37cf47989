package nftables

import "bytes"

// Messages are the netlink messages of the plan's transaction, as they are sent
// between the two marks of a batch. The benchmark replays them.
func (p Plan) Messages() []byte { return bytes.Clone(encode(p).Bytes()) }
