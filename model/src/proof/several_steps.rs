//! Defects of several steps and of owners, in a proof that knows one step for each action and no owners.
//!
//! The proof is of the protocol, in which an action is one step. A design whose actions take several is
//! no case of it; but the step at which it goes wrong may be. Where it is, the defect is among the
//! [controls](super::controls): under its own name, or as one that does the same in one step.

/// How the proof sees a defect that is no control of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Its last step is that of the control with this name.
    As(&'static str),
    /// No step of the protocol is wrong, and this is why.
    Not(&'static str),
}

/// Each of these defects.
pub const SEVERAL_STEPS: [(&str, Seen); 6] = [
    ("acquire-reads-then-writes", Seen::As("second-caller-overwrites-the-entry")),
    ("entry-goes-under-a-newcomer", Seen::As("second-caller-overwrites-the-entry")),
    ("stale-count-leaves-the-entry", Seen::As("map-is-never-cleaned")),
    (
        "polling-outlives-its-caller",
        Seen::Not("to the lockspace it is an acquire like any other; the caller knows better"),
    ),
    ("stale-holder-writes", Seen::Not("the resource is no part of the protocol")),
    ("nobody-looks-past-the-holder", Seen::Not("owners are no part of the protocol")),
];
