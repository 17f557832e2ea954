//! Draws a score: a drawing as tall as its rows. Colours and lines are the style sheet's.

use std::fmt::Display;

use super::markup::Markup;
use super::score::{Arrow, Bar, Kind, Link, Mark, Place, Rail, Row, Score, Sign, Tone};

const ROW: usize = 26;
const HEAD: usize = 44;
const LANE: usize = 26;
const GAP: usize = 18;
/// Least width of a column, for its title.
const COLUMN_MIN: usize = 84;
/// Width of a character of a row's words, and of a title.
const CHARACTER: usize = 8;
const STAMP: usize = 96;
const RAIL: usize = 22;
const HUES: usize = 6;

/// Draws `score` into `page`; `id` tells the row that it is about from those of other pictures.
pub(super) fn draw(page: &mut Markup, score: &Score, id: &str) {
    let sheet = Sheet::new(score);
    let (width, height) = (sheet.width(), sheet.bottom() + ROW / 2);
    let view = format!("0 0 {width} {height}");
    page.open(
        "svg",
        &[("width", &width), ("height", &height), ("viewBox", &view), ("role", &"img")],
    );
    page.own(DEFINITIONS);
    sheet.columns(page);
    for (row, event) in score.rows.iter().enumerate() {
        sheet.band(page, row, event, id);
    }
    sheet.lanes(page);
    sheet.rail(page);
    for bar in &score.bars {
        sheet.bar(page, bar);
    }
    for link in &score.links {
        sheet.link(page, link);
    }
    for mark in &score.marks {
        sheet.mark(page, mark);
    }
    for (row, event) in score.rows.iter().enumerate() {
        sheet.words(page, row, event);
    }
    page.close("svg");
}

/// The pattern of those who wait, and the heads of arrows.
const DEFINITIONS: &str = r#"<defs>
<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
<path d="M0 0.5L8 4L0 7.5z" class="head"/></marker>
</defs>"#;

/// Where everything lies.
struct Sheet<'s> {
    score: &'s Score,
    /// Where each column begins, and after them where the last one ends.
    columns: Vec<usize>,
    /// The middle of each lane.
    lanes: Vec<usize>,
}

impl<'s> Sheet<'s> {
    fn new(score: &'s Score) -> Self {
        let mut x = RAIL + if score.timed { STAMP } else { GAP };
        let (mut columns, mut lanes) = (vec![x], Vec::new());
        for column in &score.columns {
            let title = column.title.chars().count() * CHARACTER + GAP;
            let width = (column.lanes * LANE).max(title).max(COLUMN_MIN);
            let margin = (width - column.lanes * LANE) / 2;
            lanes.extend((0..column.lanes).map(|lane| x + margin + lane * LANE + LANE / 2));
            x += width + GAP;
            columns.push(x);
        }
        Self { score, columns, lanes }
    }

    fn end_of_columns(&self) -> usize {
        self.columns.last().copied().unwrap_or_default()
    }

    fn width(&self) -> usize {
        let longest = self.score.rows.iter().map(|row| row.words.chars().count()).max();
        self.end_of_columns() + longest.unwrap_or_default() * CHARACTER + 2 * GAP
    }

    fn bottom(&self) -> usize {
        HEAD + self.score.rows.len() * ROW + ROW / 2
    }

    /// The middle of a row.
    fn y(&self, row: usize) -> usize {
        HEAD + row * ROW + ROW / 2
    }

    fn x(&self, place: Place) -> usize {
        self.lanes.get(place.lane).copied().unwrap_or_default()
    }

    /// What lies behind a row.
    fn band(&self, page: &mut Markup, row: usize, event: &Row, id: &str) {
        let class = match event.tone {
            Tone::Wrong => "band wrong",
            Tone::Shown => "band shown",
            Tone::All => "band all",
            Tone::Does | Tone::Told => return,
        };
        let (y, width) = (HEAD + row * ROW, self.width());
        let place: [(_, &dyn Display); 5] =
            [("class", &class), ("x", &0), ("y", &y), ("width", &width), ("height", &ROW)];
        let first = row == 0 || self.score.rows[row - 1].tone != event.tone;
        if first && event.tone != Tone::All {
            page.shape("rect", &[&place[..], &[("id", &id)]].concat(), "");
        } else {
            page.shape("rect", &place, "");
        }
    }

    fn columns(&self, page: &mut Markup) {
        for (index, column) in self.score.columns.iter().enumerate() {
            let (begin, end) = (self.columns[index], self.columns[index + 1] - GAP);
            let (x, width) = ((begin + end) / 2, end - begin);
            let height = self.bottom() - HEAD + ROW / 4;
            page.shape(
                "rect",
                &[
                    ("class", &"column"),
                    ("x", &begin),
                    ("y", &(HEAD - 4)),
                    ("width", &width),
                    ("height", &height),
                    ("rx", &8),
                ],
                "",
            );
            let at: [(_, &dyn Display); 3] = [("class", &"title"), ("x", &x), ("y", &26)];
            page.element("text", &at, &column.title);
        }
    }

    fn lanes(&self, page: &mut Markup) {
        for x in &self.lanes {
            self.line(page, "life", (*x, HEAD), (*x, self.bottom()));
        }
    }

    /// How far the rows are legal.
    fn rail(&self, page: &mut Markup) {
        let (x, top, bottom) = (RAIL / 2, HEAD, self.bottom());
        match self.score.rail {
            Rail::None => {}
            Rail::Legal => self.line(page, "rail legal", (x, top), (x, bottom)),
            Rail::Undecided => self.line(page, "rail undecided", (x, top), (x, bottom)),
            Rail::Until(row) => {
                let wrong = HEAD + row * ROW;
                if row > 0 {
                    self.line(page, "rail legal", (x, top), (x, wrong - 3));
                }
                self.line(page, "rail wrong", (x, wrong), (x, wrong + ROW));
                self.line(page, "rail unjudged", (x, wrong + ROW + 3), (x, bottom));
            }
        }
    }

    fn line(&self, page: &mut Markup, class: &str, from: (usize, usize), to: (usize, usize)) {
        page.shape(
            "line",
            &[("class", &class), ("x1", &from.0), ("y1", &from.1), ("x2", &to.0), ("y2", &to.1)],
            "",
        );
    }

    fn bar(&self, page: &mut Markup, bar: &Bar) {
        let (class, width) = match bar.kind {
            Kind::Asking => ("asking", 3),
            Kind::Waiting => ("waiting", 10),
            Kind::Holding => ("holding", 20),
            Kind::Leaving => ("leaving", 10),
            Kind::Stale => ("stale", 20),
        };
        let top = bar.from.map_or(HEAD - 4, |row| self.y(row));
        let bottom = bar.to.map_or(self.bottom(), |row| self.y(row)).max(top + 3);
        let middle = self.lanes[bar.lane];
        let class = format!("bar {class} hue{}", bar.hue % HUES);
        let (x, height) = (middle - width / 2, bottom - top);
        let round = if bar.kind == Kind::Holding { 5 } else { 2 };
        page.shape(
            "rect",
            &[
                ("class", &class),
                ("x", &x),
                ("y", &top),
                ("width", &width),
                ("height", &height),
                ("rx", &round),
            ],
            &bar.title,
        );
        self.label(page, bar, middle, (top, bottom));
    }

    /// The token, where there is room for it.
    fn label(&self, page: &mut Markup, bar: &Bar, x: usize, (top, bottom): (usize, usize)) {
        let letters = bar.label.chars().count();
        let upright = letters <= 2 && bottom - top >= 16;
        if letters == 0 || !(upright || bottom - top >= letters * CHARACTER + 8) {
            return;
        }
        let y = (top + bottom) / 2;
        let turn = if upright { String::new() } else { format!("rotate(-90 {x} {y})") };
        page.element(
            "text",
            &[("class", &"token"), ("x", &x), ("y", &y), ("dy", &".36em"), ("transform", &turn)],
            &bar.label,
        );
    }

    fn link(&self, page: &mut Markup, link: &Link) {
        let (class, from, to) = match link.kind {
            Arrow::HandOver => return self.hand_over(page, link),
            Arrow::Asks => ("link asks", self.x(link.from), self.x(link.to)),
            Arrow::Answers => ("link answers", self.x(link.from), self.x(link.to)),
        };
        let y = self.y(link.from.row);
        if from == to {
            // It goes nowhere: whoever does something tells itself of it.
            let path = circle(from, y, 3);
            return page.shape("path", &[("class", &"link own"), ("d", &path)], "");
        }
        let short = if from < to { to - 3 } else { to + 3 };
        let path = format!("M{from} {y}L{short} {y}");
        page.shape("path", &[("class", &class), ("d", &path), ("marker-end", &"url(#head)")], "");
    }

    /// From the end of a hold, in a bow, to the beginning of the next one.
    fn hand_over(&self, page: &mut Markup, link: &Link) {
        let (x1, y1) = (self.x(link.from), self.y(link.from.row));
        let (x2, y2) = (self.x(link.to), self.y(link.to.row));
        let side = if x1 < x2 { x2 - 11 } else { x2 + 11 };
        let bend = (x1 + side) / 2;
        let path = format!("M{x1} {y1}C{bend} {y1} {bend} {y2} {side} {y2}");
        page.shape(
            "path",
            &[("class", &"link hands"), ("d", &path), ("marker-end", &"url(#head)")],
            "handed over",
        );
    }

    fn mark(&self, page: &mut Markup, mark: &Mark) {
        let (x, y) = (self.x(mark.at), self.y(mark.at.row));
        let (left, right, up, down) = (x - 5, x + 5, y - 5, y + 5);
        let (class, path) = match mark.sign {
            Sign::Refused => {
                ("refused", format!("M{left} {up}L{right} {down}M{left} {down}L{right} {up}"))
            }
            Sign::Cancelled => ("cancelled", format!("M{left} {y}L{right} {y}")),
            Sign::Lost => ("lost", format!("M{} {up}L{x} {down}L{} {up}z", left - 2, right + 2)),
            Sign::Unknown => ("unknown", format!("M{x} {up}L{right} {y}L{x} {down}L{left} {y}z")),
            Sign::Wrong => ("wrong", circle(x, y, 14)),
        };
        let class = format!("mark {class}");
        page.shape("path", &[("class", &class), ("d", &path)], &mark.title);
    }

    fn words(&self, page: &mut Markup, row: usize, event: &Row) {
        let y = self.y(row);
        let faded = matches!(self.score.rail, Rail::Until(wrong) if row > wrong);
        let class = match event.tone {
            _ if faded => "words unjudged",
            Tone::Does => "words",
            Tone::Told => "words told",
            Tone::All => "words all",
            Tone::Wrong => "words wrong",
            Tone::Shown => "words shown",
        };
        if self.score.timed {
            let x = RAIL + STAMP - GAP;
            page.element(
                "text",
                &[("class", &"stamp"), ("x", &x), ("y", &y), ("dy", &".35em")],
                &event.stamp,
            );
        }
        let x = self.end_of_columns();
        page.element(
            "text",
            &[("class", &class), ("x", &x), ("y", &y), ("dy", &".35em")],
            &event.words,
        );
    }
}

fn circle(x: usize, y: usize, radius: usize) -> String {
    let (left, right) = (x - radius, x + radius);
    format!("M{left} {y}A{radius} {radius} 0 1 1 {right} {y}A{radius} {radius} 0 1 1 {left} {y}z")
}
