//! A real browser that takes screenshots.
//!
//! Without one the tests say so on their output; with `LOCKSPACE_REQUIRE_BROWSER=1` they fail.

use std::collections::HashSet;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs};

const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// What somebody sees who prefers light pages, or dark ones.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scheme {
    Light,
    Dark,
}

/// A screenshot.
pub(crate) struct Picture {
    pub(crate) size: (u32, u32),
    pixels: Vec<[u8; 3]>,
}

impl Picture {
    /// How many pixels have this colour.
    pub(crate) fn count(&self, colour: [u8; 3]) -> usize {
        self.pixels.iter().filter(|pixel| **pixel == colour).count()
    }

    /// How many colours there are.
    pub(crate) fn colours(&self) -> usize {
        self.pixels.iter().collect::<HashSet<_>>().len()
    }
}

/// What a browser shows of `page` in a window of `size`; `None` if there is no browser.
pub(crate) fn screenshot(page: &Path, size: (u32, u32), scheme: Scheme) -> Option<Picture> {
    let Some(browser) = BROWSERS.iter().find(|browser| is_there(browser)) else {
        let wanted = env::var_os("LOCKSPACE_REQUIRE_BROWSER").is_some_and(|value| value == "1");
        assert!(!wanted, "there is no browser, and LOCKSPACE_REQUIRE_BROWSER=1");
        eprintln!("NOT RUN: there is no browser ({}) to look at the page", BROWSERS.join(", "));
        return None;
    };
    let to = page.with_extension(format!("{scheme:?}.png"));
    let profile = page.with_extension(format!("{scheme:?}.profile"));
    let _ = fs::remove_file(&to);
    let scheme = match scheme {
        Scheme::Light => "--blink-settings=preferredColorScheme=1",
        Scheme::Dark => "--blink-settings=preferredColorScheme=0",
    };
    let status = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", scheme])
        .arg("--force-device-scale-factor=1")
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("--window-size={},{}", size.0, size.1))
        .arg(format!("--screenshot={}", to.display()))
        .arg(format!("file://{}", page.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("the browser runs");
    assert!(status.success(), "{status}");
    Some(read(&to))
}

fn is_there(browser: &str) -> bool {
    let found = Command::new(browser).arg("--version").stdout(Stdio::null()).status();
    found.is_ok_and(|status| status.success())
}

fn read(path: &Path) -> Picture {
    let file = File::open(path).expect("the browser has written it");
    let mut reader = png::Decoder::new(BufReader::new(file)).read_info().expect("it is a PNG");
    let mut bytes = vec![0; reader.output_buffer_size().expect("it fits into memory")];
    let frame = reader.next_frame(&mut bytes).expect("it is whole");
    let samples = frame.color_type.samples();
    let pixels = bytes[..frame.buffer_size()].chunks(samples);
    let pixels = pixels.map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
    Picture { size: (frame.width, frame.height), pixels }
}
