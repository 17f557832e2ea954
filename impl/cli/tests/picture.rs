//! `--html`: pages that hold nothing but themselves, whatever a history calls its names.

mod browser;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use browser::{Picture, Scheme};
use lockspace_model::defects::DEFECTS;
use lockspace_spec::REACHABLE;

const HEADER: &str = "{\"format\":\"lockspace-history\",\"version\":1}\n";

fn lockspace(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lockspace")).args(args).output().expect("the binary runs")
}

/// A file of this run, in the folder that cargo keeps for tests.
fn file(called: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(called)
}

/// Draws `history`, and answers the page.
fn drawn(called: &str, history: &str) -> String {
    let (from, to) = (file(&format!("{called}.ndjson")), file(&format!("{called}.html")));
    fs::write(&from, history).expect("the history can be written");
    page(&["check-history", from.to_str().expect("a plain path"), "--html"], &to)
}

fn page(args: &[&str], to: &Path) -> String {
    let output = lockspace(&[args, &[to.to_str().expect("a plain path")]].concat());
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::read_to_string(to).expect("the page is there")
}

/// Two holders of `name` at once.
fn held_twice(name: &str) -> String {
    let name: String = name.chars().fold(String::new(), |mut text, character| {
        let _ = write!(text, "\\u{:04x}", u32::from(character));
        text
    });
    format!(
        "{HEADER}{{\"at\":1,\"event\":\"acquire\",\"call\":1,\"name\":\"{name}\",\"wait\":\"no\",\
         \"lease\":\"unbounded\"}}\n\
         {{\"at\":2,\"event\":\"return\",\"call\":1,\"answer\":\"granted\",\"token\":1}}\n\
         {{\"at\":3,\"event\":\"acquire\",\"call\":2,\"name\":\"{name}\",\"wait\":\"no\",\
         \"lease\":\"unbounded\"}}\n\
         {{\"at\":4,\"event\":\"return\",\"call\":2,\"answer\":\"granted\",\"token\":2}}\n"
    )
}

/// One hold after the other, of `names` in turn.
fn one_after_the_other(holds: usize, names: usize) -> String {
    let mut text = HEADER.to_owned();
    for hold in 1..=holds {
        let (at, acquire, release) = (hold * 10, 2 * hold, 2 * hold + 1);
        let _ = write!(
            text,
            "{{\"at\":{at},\"event\":\"acquire\",\"call\":{acquire},\"name\":\"n{}\",\"wait\":\"no\",\
             \"lease\":\"unbounded\"}}\n\
             {{\"at\":{},\"event\":\"return\",\"call\":{acquire},\"answer\":\"granted\",\"token\":{hold}}}\n\
             {{\"at\":{},\"event\":\"release\",\"call\":{release},\"request\":{acquire}}}\n\
             {{\"at\":{},\"event\":\"return\",\"call\":{release},\"answer\":\"released\"}}\n",
            hold % names,
            at + 1,
            at + 2,
            at + 3,
        );
    }
    text
}

/// The tags of a page that do not close each other, and whatever could load or run something.
fn faults(page: &str) -> Vec<String> {
    const VOID: [&str; 2] = ["meta", "!DOCTYPE"];
    const FOREIGN: [&str; 8] =
        ["script", "iframe", "object", "embed", "link", "img", "image", "foreignObject"];
    let (mut open, mut faults) = (Vec::new(), Vec::new());
    let body = page.split("<style>").collect::<Vec<_>>();
    let css_cut = body[1].split_once("</style>").expect("the style sheet ends").1;
    for part in [body[0], css_cut].iter().flat_map(|text| text.split('<').skip(1)) {
        let Some((tag, _)) = part.split_once('>') else {
            faults.push(format!("<{part} does not end"));
            continue;
        };
        let name = tag.split([' ', '/']).find(|word| !word.is_empty()).unwrap_or_default();
        let own = !FOREIGN.contains(&name) && !tag.contains(" on") && !tag.contains("src=");
        let far = tag.contains("href=\"") && !tag.contains("href=\"#");
        if !own || far {
            faults.push(format!("<{tag}>"));
        }
        match tag.starts_with('/') {
            _ if VOID.contains(&name) || tag.ends_with('/') => {}
            false => open.push(name),
            true if open.pop() == Some(name) => {}
            true => faults.push(format!("<{tag}> closes something else")),
        }
    }
    // What was opened before the style sheet is closed after it: html, head.
    faults
        .extend(open.into_iter().filter(|tag| !["html", "head"].contains(tag)).map(str::to_owned));
    faults.retain(|fault| !["</head>", "</html>"].iter().any(|tag| fault.starts_with(tag)));
    faults
}

#[test]
fn a_hostile_name_is_text_and_nothing_else() {
    for (index, name) in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "'/><svg onload=alert(1)>",
        "</title></style><script>",
        "&lt;script&gt;",
        "]]><!--",
        "\u{202e}\u{0}\u{1b}[2J",
        "",
    ]
    .into_iter()
    .enumerate()
    {
        let page = drawn(&format!("hostile-{index}"), &held_twice(name));
        assert_eq!(faults(&page), Vec::<String>::new(), "{name:?}");
        assert!(
            !page.contains("<script") && !page.contains('\u{1b}') && !page.contains('\u{202e}')
        );
        assert!(page.contains("band wrong"), "{name:?}");
    }
}

#[test]
fn a_tag_that_could_run_something_and_one_that_does_not_close_are_found() {
    let page = |body: &str| format!("<html><style></style><body>{body}</body></html>");
    assert_eq!(faults(&page("<p>a</p>")), Vec::<String>::new());
    for fault in
        ["<script></script>", "<p onclick=a></p>", "<p>", "<a href=\"http://a\"></a>", "</p>"]
    {
        assert_ne!(faults(&page(fault)), Vec::<String>::new(), "{fault}");
    }
}

#[test]
fn the_rejected_event_and_the_longest_legal_prefix_are_marked() {
    let page = drawn("twice", &held_twice("a"));
    for part in ["id=\"here\"", "href=\"#here\"", "rail legal", "rail wrong", "mark wrong", "S1"] {
        assert!(page.contains(part), "{part}");
    }
    assert!(page.contains("3 events before it are legal."));
    let legal = drawn("legal", &one_after_the_other(2, 1));
    assert!(legal.contains("rail legal") && !legal.contains("rail wrong\""));
}

#[test]
fn a_long_history_is_cut_and_the_page_says_so() {
    let page = drawn("long", &one_after_the_other(20_000, 40));
    assert!(page.contains("too long to be drawn as a whole"));
    assert!(page.contains("500 of 80000 events are drawn") && page.contains("12 of 40 names"));
    assert!(page.len() < 500_000, "{}", page.len());
    let short = drawn("short", &one_after_the_other(100, 2));
    assert!(!short.contains("too long"));
}

#[test]
fn of_a_long_history_what_is_rejected_is_drawn() {
    let mut history = one_after_the_other(5_000, 10);
    history.push_str(
        "{\"at\":90000,\"event\":\"acquire\",\"call\":90000,\"name\":\"n3\",\"wait\":\"no\",\
         \"lease\":\"unbounded\"}\n\
         {\"at\":90001,\"event\":\"return\",\"call\":90000,\"answer\":\"granted\",\"token\":3}\n",
    );
    let page = drawn("long-rejected", &history);
    assert!(page.contains("S2") && page.contains("call 90000 is granted, token 3"));
    assert!(page.contains("too long to be drawn as a whole") && page.len() < 500_000);
}

#[test]
fn every_kept_history_can_be_drawn() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/trace/fixtures");
    let mut histories = 0;
    for verdict in ["accepted", "rejected"] {
        for entry in fs::read_dir(fixtures.join(verdict)).expect("there are kept histories") {
            let path = entry.expect("it can be listed").path();
            let args = ["check-history", path.to_str().expect("a plain path"), "--html"];
            assert_eq!(faults(&page(&args, &file("kept.html"))), Vec::<String>::new(), "{path:?}");
            histories += 1;
        }
    }
    assert!(histories > 10, "{histories}");
}

#[test]
fn every_story_can_be_drawn() {
    let defects = DEFECTS.iter().map(|defect| (defect.name, "band wrong"));
    let goals = REACHABLE.iter().map(|goal| (goal.id, "band shown"));
    for (story, band) in defects.chain(goals) {
        let to = file("story.html");
        let output = lockspace(&["trace", story, "--html", to.to_str().expect("a plain path")]);
        assert_eq!(output.status.code(), Some(0), "{story}");
        let page = fs::read_to_string(&to).expect("the page is there");
        assert_eq!(faults(&page), Vec::<String>::new(), "{story}");
        assert!(page.contains(band), "{story}");
        let (_, body) = page.split_once("</style>").expect("there is a style sheet");
        assert!(
            !body.contains(['*', '`']),
            "{story}: what marks words up in documents is not drawn"
        );
    }
}

#[test]
fn a_page_that_cannot_be_written_is_an_error_that_names_it() {
    let output = lockspace(&["trace", "R1", "--html", "/no/such/folder/out.html"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/no/such/folder/out.html"));
}

#[test]
fn a_browser_shows_the_picture_in_light_and_in_dark() {
    drawn("seen", &held_twice("<script>document.body.remove()</script>"));
    for (scheme, paper, wrong) in [
        (Scheme::Light, [0xfb, 0xfb, 0xfa], [0xc4, 0x31, 0x4b]),
        (Scheme::Dark, [0x14, 0x17, 0x1a], [0xff, 0x7d, 0x8d]),
    ] {
        let Some(picture) = browser::screenshot(&file("seen.html"), (1200, 700), scheme) else {
            return;
        };
        assert_eq!(picture.size, (1200, 700));
        assert!(shows(&picture, paper, wrong), "{scheme:?}: {} colours", picture.colours());
    }
}

/// Two queues: hand-overs by a release, by the end of a lease and by force, and two who are told late.
const HAND_OFFS: &str = include_str!("browser/hand-offs.ndjson");

#[test]
fn a_browser_shows_hand_offs_and_losses() {
    let page = drawn("hand-offs", HAND_OFFS);
    assert_eq!(faults(&page), Vec::<String>::new());
    assert!(page.matches("class=\"link hands\"").count() > 3, "one is in the legend");
    assert!(page.matches("class=\"mark lost\"").count() > 2, "one is in the legend");
    drawn("no-losses", &one_after_the_other(3, 2));
    for (scheme, paper, bad, hues) in [
        (
            Scheme::Light,
            [0xfb, 0xfb, 0xfa],
            [0xc4, 0x31, 0x4b],
            [[0x38, 0x66, 0xd6], [0x13, 0x80, 0x6f]],
        ),
        (
            Scheme::Dark,
            [0x14, 0x17, 0x1a],
            [0xff, 0x7d, 0x8d],
            [[0x83, 0xa8, 0xff], [0x4c, 0xc7, 0xb1]],
        ),
    ] {
        let size = (1200, 1100);
        let shot = |called| browser::screenshot(&file(called), size, scheme);
        let (Some(losses), Some(none)) = (shot("hand-offs.html"), shot("no-losses.html")) else {
            return;
        };
        assert!(losses.count(paper) > 100_000, "{scheme:?}: there is paper around it");
        // The signs are in the legend of both.
        assert!(losses.count(bad) > 2 * none.count(bad), "{scheme:?}: losses are to be seen");
        for hue in hues {
            assert!(losses.count(hue) > 300, "{scheme:?}: holds of both names are to be seen");
        }
    }
}

#[test]
fn no_arrow_says_that_a_hold_was_handed_over_by_somebody_who_holds_on() {
    let release = "{\"at\":5,\"event\":\"release\",\"call\":3,\"request\":1}\n\
                   {\"at\":6,\"event\":\"return\",\"call\":3,\"answer\":\"released\"}\n";
    let page = drawn("holds-on", &(held_twice("a") + release));
    assert!(page.contains("call 3 releases call 1"));
    assert_eq!(page.matches("class=\"link hands\"").count(), 1, "the one in the legend");
    assert!(page.contains("S1 is exclusion: a name has at most one holder."));
}

#[test]
fn no_arrow_leads_from_somebody_to_the_same() {
    let page = page(&["trace", "clocks-are-worse-than-the-margin", "--html"], &file("own.html"));
    assert!(page.matches("class=\"link own\"").count() > 3, "the store's rows change");
    for arrow in page.split("class=\"link answers\" d=\"M").skip(1) {
        let (from, rest) = arrow.split_once(' ').expect("x and y");
        let (_, to) = rest.split_once('L').expect("a straight line");
        let (to, _) = to.split_once(' ').expect("x and y");
        let [from, to] = [from, to].map(|x| x.parse::<i32>().expect("a whole number"));
        assert!((from - to).abs() > 10, "an arrow that is all head: from {from} to {to}");
    }
}

#[test]
fn a_browser_shows_a_story() {
    let to = file("told.html");
    page(&["trace", "release-before-body-stops", "--html"], &to);
    for (scheme, paper, wrong) in [
        (Scheme::Light, [0xfb, 0xfb, 0xfa], [0xc4, 0x31, 0x4b]),
        (Scheme::Dark, [0x14, 0x17, 0x1a], [0xff, 0x7d, 0x8d]),
    ] {
        let Some(picture) = browser::screenshot(&to, (1200, 1100), scheme) else { return };
        assert!(shows(&picture, paper, wrong), "{scheme:?}: {} colours", picture.colours());
    }
}

#[test]
fn a_blank_page_is_not_taken_for_a_picture() {
    let blank = file("blank.html");
    fs::write(&blank, "<body style='background:#fbfbfa'></body>").expect("it can be written");
    if let Some(picture) = browser::screenshot(&blank, (1200, 700), Scheme::Light) {
        assert!(!shows(&picture, [0xfb, 0xfb, 0xfa], [0xc4, 0x31, 0x4b]));
    }
}

/// Whether there is paper, something of the colour of what is wrong, and enough of everything else.
fn shows(picture: &Picture, paper: [u8; 3], wrong: [u8; 3]) -> bool {
    picture.count(paper) > 100_000 && picture.count(wrong) > 100 && picture.colours() > 30
}
