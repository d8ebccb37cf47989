package podapi

import "fmt"

// Kind says what went wrong in a conversation, for a caller that decides by it.
type Kind string

// The kinds of failure, and what a person does about each.
const (
	// Absent: nobody listens there. The agent is not running on this node.
	Absent Kind = "absent"
	// Untrusted: the socket's folder is not root's alone, or the peer is not root.
	Untrusted Kind = "untrusted"
	// Slow: the deadline passed before the answer was complete.
	Slow Kind = "slow"
	// Garbled: what came is not a line of this protocol, or too long.
	Garbled Kind = "garbled"
	// Foreign: the peer speaks a version that this side does not.
	Foreign Kind = "foreign"
	// Mistaken: the answer is for another pod than the one asked for.
	Mistaken Kind = "mistaken"
	// Refused: the agent answered that it can't tell.
	Refused Kind = "refused"
	// TooLong: the pod's settings do not fit an answer.
	TooLong Kind = "too-long"
)

// Error is every failure of this package.
type Error struct {
	Kind Kind
	// Op is what was being done: "dial", "write", "read", "answer on", "check the folder of".
	Op string
	// Path is the socket's.
	Path string
	// Err is the system's or the peer's own word; never nil.
	Err error
}

func (e *Error) Error() string {
	return fmt.Sprintf("node agent socket: %s %s: %v (%s)", e.Op, e.Path, e.Err, e.Hint())
}

// Unwrap gives the system's error.
func (e *Error) Unwrap() error { return e.Err }

// Hint is the next step for a person who reads the error.
func (e *Error) Hint() string {
	return hints[e.Kind]
}

var hints = map[Kind]string{
	Absent:    "is the sluice-node pod running on this node?",
	Untrusted: "the folder must be owned by root with mode 0700; nothing was read from it",
	Slow:      "the agent is alive but did not answer in time; see its log",
	Garbled:   "the peer does not speak this protocol; is the path right?",
	Foreign:   "plugin and agent are of different releases; let the rolling upgrade finish",
	Mistaken:  "the pod was replaced under its name; the runtime will ask again",
	Refused:   "the agent can't tell yet; the runtime will ask again",
	TooLong:   "asking again does not help: shorten the pod's annotations, or the variables of its proxy",
}
