//! Markup, in which what comes from outside can only ever be text.
//!
//! Tags, names of attributes and whole blocks are `&'static str`: they stand in this program. Everything
//! else goes through [`escaped`]. So a name that is called `<script>` is drawn, not run.

use std::fmt::{Display, Write};

/// A document under way.
#[derive(Default)]
pub(super) struct Markup(String);

/// The attributes of an element.
pub(super) type Attributes<'a> = &'a [(&'static str, &'a dyn Display)];

impl Markup {
    /// A block of this program's own.
    pub(super) fn own(&mut self, block: &'static str) {
        self.0.push_str(block);
    }

    /// Begins an element.
    pub(super) fn open(&mut self, tag: &'static str, attributes: Attributes<'_>) {
        self.0.push('<');
        self.0.push_str(tag);
        for (name, value) in attributes {
            let value = escaped(&value.to_string());
            let _ = write!(self.0, " {name}=\"{value}\"");
        }
        self.0.push('>');
    }

    /// Ends an element.
    pub(super) fn close(&mut self, tag: &'static str) {
        let _ = write!(self.0, "</{tag}>");
        // A new line before a word would be read as a space.
        if tag != "code" {
            self.0.push('\n');
        }
    }

    /// What is read.
    pub(super) fn text(&mut self, text: &str) {
        self.0.push_str(&escaped(text));
    }

    /// Text in which words between backticks are code, as in the documents.
    pub(super) fn prose(&mut self, text: &str) {
        for (index, part) in text.split('`').enumerate() {
            if index % 2 == 1 {
                self.element("code", &[], part);
            } else {
                self.text(part);
            }
        }
    }

    /// An element that holds nothing but text.
    pub(super) fn element(&mut self, tag: &'static str, attributes: Attributes<'_>, text: &str) {
        self.open(tag, attributes);
        self.text(text);
        self.close(tag);
    }

    /// A shape, with what is said of it when it is pointed at.
    pub(super) fn shape(&mut self, tag: &'static str, attributes: Attributes<'_>, title: &str) {
        self.open(tag, attributes);
        if !title.is_empty() {
            self.element("title", &[], title);
        }
        self.close(tag);
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// `text` as it may stand between tags and in quoted attributes. Control characters are shown by their
/// numbers: neither a terminal nor a browser shall obey them.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            control if control.is_control() => {
                let _ = write!(safe, "{}", control.escape_unicode());
            }
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::Markup;

    #[test]
    fn a_tag_in_a_text_is_text() {
        let mut markup = Markup::default();
        markup.element("p", &[("id", &"\"><script>")], "<script>alert('1 & 2')</script>\u{1b}[2J");
        assert_eq!(
            markup.finish(),
            "<p id=\"&quot;&gt;&lt;script&gt;\">&lt;script&gt;alert(&#39;1 &amp; 2&#39;)&lt;/script&gt;\
             \\u{1b}[2J</p>\n"
        );
    }
}
