//! What a picture shows, before it is drawn: columns of time lines, and one row for each event.
//!
//! Time runs downwards, a row at a time, as in the rows of a log; beside each row stands what happened in
//! words. So the picture and the log are one thing, and it is as long as there is to tell.
//!
//! What this file must not do: know histories or models, or how anything looks.

/// Everything on one picture.
#[derive(Debug, Default)]
pub(super) struct Score {
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Row>,
    pub(super) bars: Vec<Bar>,
    pub(super) marks: Vec<Mark>,
    pub(super) links: Vec<Link>,
    pub(super) rail: Rail,
    /// Whether rows say when they happened.
    pub(super) timed: bool,
}

/// Lanes that belong together, under one title.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) title: String,
    pub(super) lanes: usize,
}

/// An event.
#[derive(Debug)]
pub(super) struct Row {
    /// When.
    pub(super) stamp: String,
    pub(super) words: String,
    pub(super) tone: Tone,
}

/// How a row is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// Somebody does something.
    Does,
    /// Somebody is told something.
    Told,
    /// It concerns everybody.
    All,
    /// It cannot be: this is what the picture is about.
    Wrong,
    /// It happens at last: this is what the picture is about.
    Shown,
}

/// A place: a lane, counted over all columns, and a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) lane: usize,
    pub(super) row: usize,
}

/// Something that lasts.
#[derive(Debug)]
pub(super) struct Bar {
    pub(super) lane: usize,
    /// The row in which it begins; `None`: before the first one.
    pub(super) from: Option<usize>,
    /// The row in which it ends; `None`: after the last one.
    pub(super) to: Option<usize>,
    pub(super) kind: Kind,
    /// Which of the colours.
    pub(super) hue: usize,
    pub(super) label: String,
    pub(super) title: String,
}

/// What lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Asked, and not answered.
    Asking,
    /// In the queue.
    Waiting,
    /// The name is held.
    Holding,
    /// The hold is being given back, or its end is not known.
    Leaving,
    /// Somebody else holds the name, and the holder has not been told.
    Stale,
}

/// Something that happens at a place.
#[derive(Debug)]
pub(super) struct Mark {
    pub(super) at: Place,
    pub(super) sign: Sign,
    pub(super) title: String,
}

/// What a mark says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    Refused,
    Cancelled,
    Lost,
    Unknown,
    Wrong,
}

/// An arrow.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) from: Place,
    pub(super) to: Place,
    pub(super) kind: Arrow,
}

/// What an arrow means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrow {
    HandOver,
    Asks,
    Answers,
}

/// The line along the rows that says how far they are legal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Rail {
    /// There is nothing to say.
    #[default]
    None,
    /// All rows are.
    Legal,
    /// Nobody knows.
    Undecided,
    /// The rows before this one are; this one is not; those after it are not judged.
    Until(usize),
}

impl Score {
    /// How many lanes stand before each column.
    pub(super) fn lanes_before(&self, column: usize) -> usize {
        self.columns[..column].iter().map(|column| column.lanes).sum()
    }
}
