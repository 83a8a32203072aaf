//! A report as a service would fill it: 40 divergences of a run of 500 documents.

use fusebox::call::{Comparison, Difference, DifferenceKind, ShadowEnd};
use fusebox::report::{
    DivergenceRate, ReviewItem, ReviewReport, ReviewReportBuilder, ReviewVerdict, VerdictTone,
};
use fusebox::shadow::{Acknowledgement, BaselineNoise};
use fusebox::{
    Call, DocumentType, FailureKind, Field, ModelName, Ratio, Ticket, Timestamp, Version, VersionId,
};

/// 2026-03-10 00:00 UTC.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_773_100_800_000);

pub(crate) fn v8() -> VersionId {
    VersionId::new("v8").unwrap()
}

pub(crate) fn minute(n: u64) -> Timestamp {
    Timestamp::from_millis(START.as_millis() + n * 60_000)
}

pub(crate) fn ticket(document: &str, document_type: &str, minutes: u64) -> Ticket {
    let call = Call::new(document, document_type).unwrap();
    Ticket::new(&call, &Version::new("v7", "gpt-4o").unwrap()).with_admitted_at(minute(minutes))
}

pub(crate) fn item(
    document: &str,
    document_type: &str,
    minutes: u64,
    end: impl Into<ShadowEnd>,
) -> ReviewItem {
    let item = ReviewItem::new(&ticket(document, document_type, minutes), v8(), end);
    item.with_candidate_model(ModelName::new("gpt-4.1-mini").unwrap())
}

pub(crate) fn changed(field: &str, production: &str, candidate: &str) -> Difference {
    Difference::changed(Field::new(field).unwrap()).between(production, candidate)
}

pub(crate) fn diverged(differences: impl IntoIterator<Item = Difference>) -> Comparison {
    Comparison::Diverged(differences.into_iter().collect())
}

/// A rate with an interval that a test does not look at.
pub(crate) fn rate(diverging: u64, compared: u64) -> DivergenceRate {
    DivergenceRate::new(diverging, compared, (Ratio::ZERO, Ratio::ONE)).unwrap()
}

pub(crate) fn builder(diverging: u64) -> ReviewReportBuilder {
    let verdict = ReviewVerdict::new(VerdictTone::Caution, "Review required");
    let v7 = VersionId::new("v7").unwrap();
    ReviewReport::builder(v7, v8(), verdict, rate(diverging, 500), Ratio::percent(8))
}

/// A report of these documents.
pub(crate) fn report(items: Vec<ReviewItem>) -> ReviewReport {
    builder(items.len() as u64).items(items).build().unwrap()
}

/// A report of one difference.
pub(crate) fn of_texts(production: &str, candidate: &str) -> ReviewReport {
    let difference = changed("/text", production, candidate);
    report(vec![item("doc-1", "invoice", 0, diverged([difference]))])
}

/// 40 divergences in 37 documents, as an extraction of invoices, contracts and tickets has them.
pub(crate) fn realistic() -> ReviewReport {
    let interval = |low, high| (Ratio::basis_points(low), Ratio::basis_points(high));
    let rate = |diverging, compared, low, high| {
        DivergenceRate::new(diverging, compared, interval(low, high)).unwrap()
    };
    let kind = |name: &str| DocumentType::new(name).unwrap();
    let corrections = ReviewVerdict::new(VerdictTone::Caution, "Not enough corrections yet")
        .meaning(
            "People settled 212 of the documents. The candidate was right where production was wrong 9 times, \
             and wrong where production was right 14 times: chance may explain that.",
        )
        .next_step("Wait for about 120 more settled documents, or review the divergences below.");
    let verdict = ReviewVerdict::new(VerdictTone::Caution, "Review required")
        .meaning("v8 diverged from v7 on more than 8 % of the documents that were compared.")
        .next_step("Mark the divergences below, save the marks, then acknowledge the review with your decision.");
    // The intervals are scipy's: `binomtest(k, n).proportion_ci(method="wilson")`.
    ReviewReport::builder(
        VersionId::new("v7").unwrap(),
        v8(),
        verdict,
        rate(41, 500, 610, 1_094),
        Ratio::percent(8),
    )
    .name("document intake, prompt v8 with a smaller model")
    .between(START, minute(47 * 60))
    .corrections(
        corrections,
        [
            ("both right", 181),
            ("only production right", 14),
            ("only candidate right", 9),
            ("both wrong", 8),
        ],
    )
    .noise(BaselineNoise::of_pairs(13, 2, 4, 181))
    .funnel(
        1_284,
        [
            ("matched", 431),
            ("differed only in ignored fields", 28),
            ("diverged", 36),
            ("candidate failed", 3),
            ("candidate timed out", 2),
            ("production failed", 4),
            ("not sampled", 742),
            ("not comparable", 19),
            ("shed", 11),
            ("cancelled", 3),
            ("withheld (budget)", 5),
        ],
    )
    .type_rate(kind("invoice"), rate(22, 310, 473, 1_052))
    .type_rate(kind("contract"), rate(13, 112, 691, 1_886))
    .type_rate(kind("support_ticket"), rate(6, 78, 357, 1_579))
    .not_covered([kind("customs_declaration"), kind("credit_note")])
    .acknowledged(Acknowledgement::new(
        "Ada Okafor",
        minute(31 * 60),
        "seen; the review is planned for Thursday morning",
    ))
    .items(items())
    .build()
    .unwrap()
}

fn items() -> Vec<ReviewItem> {
    let mut items = invoices();
    items.extend(contracts_and_tickets());
    items
}

fn invoices() -> Vec<ReviewItem> {
    let mut items = Vec::new();
    for n in 0..6_u64 {
        let (right, wrong) = (
            format!("{}.50", 1_240 + n * 7),
            format!("{}50", 1_240 + n * 7),
        );
        items.push(item(
            &format!("inv-2026-{:04}", 417 + n),
            "invoice",
            n * 53,
            diverged([
                changed("/total", &right, &wrong),
                changed("/currency_note", "EUR, rounded", "EUR").not_critical(),
            ]),
        ));
    }
    for n in 0..7_u64 {
        let field = format!("/lines/{n}/unit");
        items.push(item(
            &format!("inv-2026-{:04}", 502 + n),
            "invoice",
            400 + n * 31,
            diverged([changed(&field, "pcs", "piece")]),
        ));
    }
    for (n, vendor) in [
        "Müller & Söhne GmbH",
        "北京科技有限公司",
        "شركة النور للتجارة",
    ]
    .iter()
    .enumerate()
    {
        let shortened: String = vendor.chars().take(vendor.chars().count() - 3).collect();
        items.push(item(
            &format!("inv-2026-{:04}", 610 + n),
            "invoice",
            700 + n as u64,
            diverged([
                changed("/vendor/name", vendor, &shortened),
                Difference::new(
                    Field::new("/vendor/vat_id").unwrap(),
                    DifferenceKind::Missing,
                )
                .between("DE 811 907 980", ""),
            ]),
        ));
    }
    items
}

fn contracts_and_tickets() -> Vec<ReviewItem> {
    let mut items = Vec::new();
    let clause = "The Supplier shall indemnify the Customer against all losses arising from a breach of clause 7, \
                  provided that the Customer gives notice within thirty (30) days after it becomes aware of the \
                  claim, and that the total liability under this agreement does not exceed the fees paid in the \
                  twelve months before the event.";
    for n in 0..8_u64 {
        let candidate = clause
            .replace("thirty (30)", "sixty (60)")
            .replace("twelve", "twenty-four");
        items.push(item(
            &format!("ctr-{:05}", 20_311 + n * 17),
            "contract",
            900 + n * 61,
            diverged([changed("/clauses/liability", clause, &candidate)]),
        ));
    }
    for n in 0..4_u64 {
        items.push(item(
            &format!("ctr-{:05}", 21_004 + n),
            "contract",
            1_500 + n * 9,
            diverged([changed("/signed_on", "2026-03-04", "2026-04-03")]),
        ));
    }
    for n in 0..3_u64 {
        items.push(item(
            &format!("T-{}", 99_120 + n),
            "support_ticket",
            1_900 + n,
            diverged([changed("/urgency", "high", "normal")]),
        ));
    }
    items.push(item(
        "T-99201",
        "support_ticket",
        2_000,
        diverged([Difference::new(
            Field::new("/customer_id").unwrap(),
            DifferenceKind::TypeChanged,
        )
        .between("\"004417\"", "4417")]),
    ));
    items.push(item(
        "T-99202",
        "support_ticket",
        2_010,
        diverged([changed(
            "/summary",
            "Customer asks to pay to account DE02 1203 0000 0000 2020 51.",
            "Customer asks to pay to account \u{202e}15 0202 0000 0000 3021 20ED\u{202c}\u{200b}. <script>alert(1)</script>",
        )]),
    ));
    items.push(item("inv-2026-0777", "invoice", 2_100, ShadowEnd::TimedOut));
    items.push(item(
        "ctr-22871",
        "contract",
        2_110,
        ShadowEnd::CandidateFailed(FailureKind::MalformedOutput),
    ));
    items.push(item(
        "T-99310",
        "support_ticket",
        2_120,
        ShadowEnd::CandidatePanicked,
    ));
    items.push(item("inv-2026-0779", "invoice", 2_130, diverged([])));
    items
}

/// Texts that a model may write and that a page must not obey.
pub(crate) const HOSTILE: [&str; 14] = [
    "<script>window.hacked = 1</script>",
    "</script><script>window.hacked = 1</script><!--",
    "<img src=x onerror=\"window.hacked = 1\">",
    "\" autofocus onfocus=\"window.hacked = 1\" x=\"",
    "' onmouseover='window.hacked = 1' x='",
    "<a href=\"javascript:window.hacked = 1\">javascript:window.hacked = 1</a>",
    "</bdi></div></article></section></main><style>*{display:none}</style>",
    "</title></style></noscript></select></option><base href=//evil.example/>",
    "\u{202e}gnp.exe\u{202c} \u{2066}\u{2069}\u{200f}\u{61c}",
    "zero\u{200b}width\u{feff}\u{2060}\u{ad}\u{e0041}\u{180e}",
    "\0 \u{1} \u{1b}[31m \u{7f} \u{85} \u{9f} \u{2028} \u{2029} \u{ffff}",
    "&lt;b&gt; &#60;script&#62; &amp;amp; {{7*7}} ${7*7} ]]> <![CDATA[",
    "שלום עולם مرحبا 👩‍👩‍👧 ❤️ e\u{301}\u{301}\u{301}\u{301}\u{301}",
    "wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww",
];

/// A report in which every text is hostile.
pub(crate) fn hostile() -> ReviewReport {
    let name = |n: usize| HOSTILE[n % HOSTILE.len()];
    let verdict = |n| {
        ReviewVerdict::new(VerdictTone::Alarm, name(n))
            .meaning(name(n + 1))
            .next_step(name(n + 2))
    };
    let items = (0..HOSTILE.len()).map(|n| {
        let fields = [
            changed(&format!("/{}/0", name(n + 1)), name(n), name(n + 1)),
            changed(name(n + 2), name(n + 2), &name(n + 2).repeat(40)),
            changed(name(n + 3), name(n + 3), "x").not_critical(),
        ];
        let ticket = Ticket::new(
            &Call::new(name(n), name(n + 4)).unwrap(),
            &Version::new(name(n + 5), name(n + 6)).unwrap(),
        );
        let item = ReviewItem::new(
            &ticket,
            VersionId::new(name(n + 7)).unwrap(),
            diverged(fields),
        );
        item.with_candidate_model(ModelName::new(name(n + 8)).unwrap())
    });
    let version = |n| VersionId::new(name(n)).unwrap();
    let all = HOSTILE.len() as u64;
    let mut builder = ReviewReport::builder(
        version(0),
        version(3),
        verdict(0),
        rate(all, all),
        Ratio::percent(8),
    )
    .name(HOSTILE.concat())
    .corrections(verdict(3), HOSTILE.map(|text| (text, 1)))
    .noise(BaselineNoise::of_pairs(1, 0, 0, 1))
    .funnel(all, HOSTILE.map(|text| (text, 1)))
    .not_covered(HOSTILE.map(|text| DocumentType::new(text).unwrap()))
    .items(items);
    for text in HOSTILE {
        builder = builder
            .type_rate(DocumentType::new(text).unwrap(), rate(1, 1))
            .acknowledged(Acknowledgement::new(text, START, text));
    }
    builder.build().unwrap()
}
