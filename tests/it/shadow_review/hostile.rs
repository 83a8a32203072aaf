//! Model output is hostile text: it is shown, and it never means anything.

use proptest::prelude::*;
use scraper::Html;

use super::sample::{HOSTILE, changed, diverged, hostile, item, of_texts, report};
use super::{Page, text};

/// Elements that a page may have; none of them loads anything.
const ELEMENTS: [&str; 44] = [
    "a",
    "article",
    "bdi",
    "body",
    "button",
    "code",
    "dd",
    "del",
    "details",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "header",
    "html",
    "input",
    "ins",
    "kbd",
    "label",
    "legend",
    "li",
    "main",
    "meta",
    "noscript",
    "option",
    "p",
    "progress",
    "script",
    "section",
    "select",
    "span",
    "strong",
    "style",
];
const MORE_ELEMENTS: [&str; 5] = ["rect", "summary", "svg", "title", "ul"];

fn assert_harmless(page: &Page) {
    for element in page.all("*") {
        let name = element.value().name();
        assert!(
            ELEMENTS.contains(&name) || MORE_ELEMENTS.contains(&name),
            "{}",
            element.html()
        );
        for (attribute, value) in element.value().attrs() {
            assert!(!attribute.starts_with("on"), "{attribute}");
            assert!(attribute != "style" && attribute != "src", "{attribute}");
            assert!(attribute != "href" || value.starts_with('#'), "{value}");
        }
    }
    assert_eq!((page.all("script").len(), page.all("style").len()), (2, 1));
}

/// The value of a side as a person reads it, signs of hidden characters included.
fn values(page: &Page) -> Vec<String> {
    page.all("bdi.value")
        .into_iter()
        .map(|value| value.text().collect())
        .collect()
}

#[test]
fn markup_in_any_text_stays_text() {
    let page = Page::of(&hostile());
    assert_harmless(&page);
    let body = page.text("body");
    for markup in HOSTILE
        .iter()
        .filter(|text| text.is_ascii() && !text.contains('\0'))
    {
        assert!(body.contains(markup), "{markup}");
    }
    assert_eq!(page.all("article").len(), 2 * HOSTILE.len());
}

#[test]
fn a_hostile_page_has_the_same_elements_as_a_harmless_one() {
    let skeleton = |text: &str| {
        let html = of_texts(&format!("{text} x"), &format!("{text} y")).html();
        let parsed = Html::parse_document(&html);
        let names: Vec<_> = parsed
            .tree
            .nodes()
            .filter_map(|node| node.value().as_element())
            .collect();
        names
            .iter()
            .map(|element| element.name().to_owned())
            .collect::<Vec<_>>()
    };
    let harmless = skeleton("plain words");
    for text in HOSTILE
        .iter()
        .filter(|text| text.is_ascii() && !text.contains('\0'))
    {
        // Changes are marked by letter or by word; compare without these marks.
        let without = |names: Vec<String>| -> Vec<String> {
            names
                .into_iter()
                .filter(|name| name != "ins" && name != "del")
                .collect()
        };
        assert_eq!(without(skeleton(text)), without(harmless.clone()), "{text}");
    }
}

/// A browser would mend an attribute that stands twice, an unclosed element or a stray character.
#[test]
fn the_page_is_parsed_without_an_error() {
    for report in [super::sample::realistic(), hostile()] {
        let parsed = Html::parse_document(&report.html());
        assert_eq!(parsed.errors, [""; 0]);
    }
}

#[test]
fn a_direction_override_shows_its_number_and_changes_no_direction() {
    let page = Page::of(&of_texts("invoice_fdp.exe", "invoice_\u{202e}fdp.exe"));
    let [_, candidate] = &values(&page)[..] else {
        panic!("two values");
    };
    assert_eq!(candidate, "invoice_U+202Efdp.exe");
    assert_eq!(page.texts(".sign"), ["U+202E"]);
    for text in HOSTILE {
        let html = of_texts(text, "x").html();
        for c in [
            "\u{202e}",
            "\u{2066}",
            "\u{200f}",
            "\u{61c}",
            "\u{200b}",
            "\u{feff}",
            "\u{e0041}",
            "\0",
            "\u{1b}",
        ] {
            assert!(!html.contains(c), "{text:?} leaves {c:?}");
        }
    }
}

#[test]
fn every_text_that_is_not_the_pages_own_is_isolated() {
    let name = "\u{5d0}\u{5d1} (1)";
    let page = Page::of(&report(vec![item(
        name,
        name,
        0,
        diverged([changed(name, name, "b")]),
    )]));
    let isolated = page
        .texts("bdi")
        .iter()
        .filter(|text| *text == name)
        .count();
    // Chart by field, headings of type and field, heading of the entry, and the value.
    assert_eq!(isolated, 5);
    let stray = page.0.tree.nodes().filter(|node| {
        let is_name = node
            .value()
            .as_text()
            .is_some_and(|text| text.contains(name));
        let within = |wanted: &[&str]| {
            node.ancestors().any(|above| {
                above
                    .value()
                    .as_element()
                    .is_some_and(|element| wanted.contains(&element.name()))
            })
        };
        is_name && !within(&["bdi", "option", "script"])
    });
    assert_eq!(stray.count(), 0);
}

#[test]
fn zero_width_and_control_characters_have_visible_signs() {
    let page = Page::of(&of_texts("PayPal", "Pay\u{200b}Pal\u{0}\u{1b}\u{7f}\u{a0}"));
    assert_eq!(
        page.texts(".sign"),
        ["U+200B", "NUL", "ESC", "DEL", "U+00A0"]
    );
    let titles: Vec<_> = page
        .all(".sign")
        .iter()
        .map(|sign| sign.attr("title").unwrap().to_owned())
        .collect();
    assert_eq!(titles, ["U+200B", "U+0000", "U+001B", "U+007F", "U+00A0"]);
}

#[test]
fn a_changed_line_end_or_tab_is_seen() {
    let page = Page::of(&of_texts("one two", "one\ttwo\n"));
    assert_eq!(page.texts("ins .sign"), ["⇥", "↵"]);
}

#[test]
fn emoji_and_scripts_of_both_directions_stay_as_they_are() {
    for text in [
        "مرحبا بالعالم",
        "שלום עולם",
        "👩‍👩‍👧 🏳️‍🌈 ❤️",
        "北京科技有限公司",
        "e\u{301}",
    ] {
        let page = Page::of(&of_texts(text, "x"));
        assert_eq!(values(&page)[0], text);
        assert!(page.all(".sign").is_empty(), "{text}");
    }
}

#[test]
fn a_value_of_100_kilobytes_is_cut_around_what_differs() {
    let long = "lorem ipsum dolor ".repeat(5_700);
    let page = Page::of(&of_texts(
        &format!("{long}12.50{long}"),
        &format!("{long}1250{long}"),
    ));
    let values = values(&page);
    assert!(
        values[0].contains("12.50") && values[1].contains("1250"),
        "{values:?}"
    );
    assert!(
        values.iter().all(|value| value.chars().count() < 400),
        "{values:?}"
    );
    // 5,700 times 18 characters and `12`, less 80 that stay.
    assert_eq!(page.texts(".cut")[0], "[102,522 equal characters left out]");
}

#[test]
fn a_long_value_that_has_nothing_in_common_is_cut_at_4000_characters() {
    let page = Page::of(&of_texts(&"ab ".repeat(40_000), &"X".repeat(100_000)));
    let cut = page.texts(".cut");
    assert_eq!(
        cut,
        [
            "[116,000 more characters left out]",
            "[96,000 more characters left out]"
        ]
    );
    assert_eq!(
        page.all(".tall[tabindex='0']").len(),
        2,
        "a long value scrolls by keyboard"
    );
}

/// Each value may be 100 KB and unlike the other; the page stays small enough to open.
#[test]
fn a_page_of_many_long_values_stays_small() {
    let long: Vec<String> = (0..2_u8)
        .map(|shift| {
            (0..100_000_u32)
                .map(|n| {
                    char::from(b'a' + (n.wrapping_mul(2_654_435_761) >> 24) as u8 % 20 + shift)
                })
                .collect()
        })
        .collect();
    let items = (0..2_000).map(|n| {
        item(
            &format!("doc-{n}"),
            "invoice",
            0,
            diverged([changed("/text", &long[0], &long[1])]),
        )
    });
    let items: Vec<_> = items.collect();
    let report = super::sample::builder(500)
        .items(items.into_iter().take(500))
        .build()
        .unwrap();
    let bytes = report.html().len();
    assert!(bytes < 12_000_000, "{bytes}");
}

#[test]
fn a_title_and_an_option_have_no_hidden_characters() {
    let page = Page::of(&hostile());
    let texts = page.texts("title").into_iter().chain(page.texts("option"));
    for text in texts {
        assert!(
            !text.chars().any(
                |c| c.is_control() || ('\u{200b}'..='\u{202e}').contains(&c) && c != '\u{200d}'
            ),
            "{text:?}"
        );
    }
}

#[test]
fn the_scripts_data_is_the_exact_names_and_cannot_end_its_element() {
    let document = "</script><!--<script>\u{2028}\0\u{202e}&amp;";
    let page = Page::of(&report(vec![item(document, "invoice", 0, diverged([]))]));
    let data = page.all("script#data");
    assert_eq!(data[0].attr("type"), Some("application/json"));
    let data: String = data[0].text().collect();
    assert!(
        !data.contains(['<', '>', '&', '\u{2028}', '\u{202e}']),
        "{data}"
    );
    let data: serde_json::Value = serde_json::from_str(&data).unwrap();
    assert_eq!(data["entries"][0]["document"], document);
    assert_eq!(data["entries"][0]["field"], serde_json::Value::Null);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Whatever two texts are, the page has no element, attribute or hidden character of theirs, and
    /// is parsed without an error.
    #[test]
    fn no_text_becomes_markup(
        one in "([<>&\"'/= a-z!\\-\\x00-\\x1f\\u{80}-\\u{a0}\\u{200b}-\\u{202e}\\u{fe0f}\\u{ffff}]|</|<!--|\\PC){0,60}",
        other in "([<>&\"'/= a-z]|\\PC){0,60}",
    ) {
        let report = of_texts(&one, &other);
        let html = report.html();
        prop_assert_eq!(&Html::parse_document(&html).errors, &[""; 0]);
        let page = Page::of(&report);
        assert_harmless(&page);
        let hidden = |c: char| c.is_control() && c != '\n' && c != '\t' || ('\u{202a}'..='\u{202e}').contains(&c);
        prop_assert!(!html.chars().any(hidden));
        if !one.is_empty() && one.chars().all(|c| c.is_ascii() && !c.is_ascii_control()) {
            let shown: String = page.all("bdi.value")[0].text().collect();
            prop_assert_eq!(shown, one);
        }
        let _ = text;
    }
}
