//! The page around a picture: what was found in words, what the signs mean, and what was left out.

use lockspace_history::{History, Verdict};
use lockspace_model::breakable::BREAKABLE;
use lockspace_model::story::Story;
use lockspace_spec::{Property, SAFETY};

use super::markup::Markup;
use super::score::Score;
use super::{history, story, svg};
use crate::output::{counted, grouped};

/// A story, and what is said before and after it.
pub(crate) struct Told<'s> {
    pub(crate) heading: String,
    pub(crate) before: &'s str,
    pub(crate) story: &'s Story,
    pub(crate) after: &'s str,
}

/// The page of a history that is called `called` and of the verdict on it.
pub(super) fn of_history(called: &str, history: &History, verdict: &Verdict) -> String {
    let (score, left_out) = history::score(history, verdict);
    let mut page = begin(&format!("{called}: {}", headline(verdict)));
    page.element("h1", &[], called);
    tell(&mut page, verdict);
    if !left_out.is_empty() {
        page.open("p", &[("class", &"note")]);
        page.text(&format!(
            "This history is too long to be drawn as a whole: {}.",
            left_out.join("; ")
        ));
        page.text(" All of it was judged.");
        page.close("p");
    }
    page.own(LEGEND_OF_HISTORIES);
    picture(&mut page, &score, "here");
    page.element(
        "p",
        &[("class", &"soft")],
        "A bar's colour tells processes apart, or names if there is one process. Point at a bar to read it.",
    );
    end(page)
}

/// The page of stories.
pub(super) fn of_stories(title: &str, stories: &[Told<'_>]) -> String {
    let mut page = begin(title);
    page.element("h1", &[], title);
    page.own(LEGEND_OF_STORIES);
    for (index, told) in stories.iter().enumerate() {
        let broken = told.story.broken();
        page.element("h2", &[], &told.heading);
        paragraph(&mut page, told.before);
        picture(&mut page, &story::score(told.story), &format!("here-{index}"));
        for broken in broken.iter().map(|index| &BREAKABLE[index]) {
            page.open("div", &[("class", &"verdict bad")]);
            page.element("strong", &[], &format!("Breaks {}", broken.title()));
            page.element("p", &[], broken.sentence);
            page.close("div");
        }
        page.element("p", &[("class", &"soft")], "In the end:");
        page.open("ul", &[]);
        told.story.ends().iter().for_each(|end| page.element("li", &[], end));
        page.close("ul");
        paragraph(&mut page, told.after);
    }
    end(page)
}

fn paragraph(page: &mut Markup, text: &str) {
    page.open("p", &[]);
    page.prose(text);
    page.close("p");
}

fn picture(page: &mut Markup, score: &Score, id: &str) {
    page.open("div", &[("class", &"picture")]);
    svg::draw(page, score, id);
    page.close("div");
}

fn headline(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Accepted(_) => "accepted",
        Verdict::Rejected(_) => "rejected",
        Verdict::Undecided(_) => "undecided",
    }
}

fn tell(page: &mut Markup, verdict: &Verdict) {
    let class = match verdict {
        Verdict::Accepted(_) => "verdict good",
        Verdict::Rejected(_) => "verdict bad",
        Verdict::Undecided(_) => "verdict warn",
    };
    page.open("div", &[("class", &class)]);
    page.element("strong", &[], headline(verdict));
    match verdict {
        Verdict::Accepted(_) => {
            page.element("p", &[], "The specification allows this history.");
        }
        Verdict::Rejected(why) => {
            page.element("p", &[], &why.to_string());
            let called = |property: &&Property| Some(property.id) == why.property;
            if let Some(Property { id, name, sentence, .. }) = SAFETY.iter().find(called) {
                page.element("p", &[], &format!("{id} is {name}: {sentence}."));
            }
            page.open("p", &[("class", &"facts")]);
            page.text(&format!(
                "{} events before it are legal. ",
                grouped(why.legal_prefix as u64)
            ));
            page.element("a", &[("href", &"#here")], "To the event that is not");
            page.close("p");
        }
        Verdict::Undecided(undecided) => {
            page.element("p", &[], "The budget was spent first. This is not a pass.");
            page.element("p", &[], &format!("Undecided names: {}", undecided.names.len()));
        }
    }
    if let Verdict::Accepted(summary) = verdict {
        let facts = [
            counted(summary.events, "event"),
            counted(summary.calls, "call"),
            counted(summary.grants, "grant"),
            format!("{} queued", grouped(summary.queued as u64)),
            counted(summary.names, "name"),
        ];
        page.element("p", &[("class", &"facts")], &facts.join(" · "));
    }
    page.close("div");
}

fn begin(title: &str) -> Markup {
    let mut page = Markup::default();
    page.own(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
    );
    page.element("title", &[], title);
    page.own("<style>\n");
    page.own(include_str!("style.css"));
    page.own("</style></head>\n<body><main>\n");
    page
}

fn end(mut page: Markup) -> String {
    let by = concat!("Drawn by lockspace ", env!("CARGO_PKG_VERSION"), ". Time runs downwards.");
    page.element("footer", &[], by);
    page.own("</main></body></html>\n");
    page.finish()
}

const LEGEND_OF_HISTORIES: &str = include_str!("legend_of_histories.html");

const LEGEND_OF_STORIES: &str = include_str!("legend_of_stories.html");
