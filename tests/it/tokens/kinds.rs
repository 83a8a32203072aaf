//! Bounds that are learnt for documents of ten kinds, made with a seed.

use fusebox::tokens::{Encoding, Provenance, TokenCount};
use fusebox::{Call, Report};

use super::learning::bench;
use super::random::Random;

const ENGLISH: &str = "the invoice of supplier was paid before due date but amount differs from \
    order which our buyer signed in spring please check whether discount had been agreed and send \
    copy to accounting department where it will be booked";
const GERMAN: &str = "die Rechnung für Gebäudereinigung über größere Mengen wurde nicht \
    vollständig bezahlt weil Rabatt fällig wäre bitte prüfen Sie Bestellung Lieferschein und \
    Zahlungsbedingungen gemäß Vertrag";
const CHINESE: &str =
    "发票金额与订单不符请核对供应商名称和付款日期我们已经收到货物但是没有合同号码";
const CODE: &str = "fn let mut self return match Some None Ok Err impl struct pub use crate vec \
    iter map collect usize String";

fn word<T: Copy>(random: &mut Random, of: &[T]) -> T {
    of[random.below(of.len())]
}

fn amount(random: &mut Random) -> String {
    format!("{}.{:02}", random.below(100_000), random.below(100))
}

const KINDS: [&str; 10] = [
    "prose", "german", "chinese", "json", "csv", "html", "code", "digits", "codes", "mail",
];

/// A document of a kind, of 3,000 to 4,500 bytes.
fn document(kind: &str, random: &mut Random) -> String {
    let length = 3_000 + random.below(1_500);
    let words = |of: &'static str| of.split_whitespace().collect::<Vec<_>>();
    let (english, german, code) = (words(ENGLISH), words(GERMAN), words(CODE));
    let chinese: Vec<char> = CHINESE.chars().collect();
    let mut text = String::new();
    while text.len() < length {
        let piece = match kind {
            "prose" => format!("{} ", word(random, &english)),
            "german" => format!("{} ", word(random, &german)),
            "chinese" => word(random, &chinese).to_string(),
            "json" => format!(
                "{{\"{}\": {}, \"{}\": \"{}\"}},\n",
                word(random, &english),
                amount(random),
                word(random, &english),
                word(random, &german)
            ),
            "csv" => format!(
                "{};{};{};{}\n",
                random.below(1_000_000),
                word(random, &german),
                amount(random),
                amount(random)
            ),
            "html" => format!(
                "<tr><td class=\"{}\">{}</td><td>{}</td></tr>\n",
                word(random, &english),
                word(random, &english),
                amount(random)
            ),
            "code" => format!(
                "    {} {}({}, {});\n",
                word(random, &code),
                word(random, &code),
                word(random, &english),
                random.below(100)
            ),
            "digits" => format!("{} {} ", random.below(1_000_000_000), amount(random)),
            "codes" => (0..12)
                .map(|_| char::from(b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789-"[random.below(33)]))
                .collect(),
            _ if random.below(6) == 0 => format!("{} EUR ", amount(random)),
            _ => format!("{} ", word(random, &english)),
        };
        text.push_str(&piece);
    }
    text
}

/// The tokens of a document with OpenAI's newest tokenizer, and with four others.
fn tokens_of(text: &str) -> (u64, [u64; 4]) {
    let count = |encoding: Encoding| {
        let counter = encoding.counter().unwrap();
        counter.count(text).unwrap().upper().unwrap()
    };
    let cl100k = count(Encoding::Cl100kBase);
    let digits = text.bytes().filter(u8::is_ascii_digit).count() as u64;
    let others = [
        cl100k,
        count(Encoding::P50kBase),
        count(Encoding::R50kBase),
        // One that gives every second digit a token of its own.
        cl100k + digits / 2,
    ];
    (count(Encoding::O200kBase), others)
}

/// 99 % bounds of real tokenizers, each learnt with another one: 250 documents of each of ten kinds
/// (seed 13). Where the bound promises 99 %, at least 98.5 % are covered with each tokenizer and of
/// each kind (of 600 documents 1 % is 6, with a standard deviation of 2.4; 9 are allowed). In the mean
/// of all documents, the first of a kind too, it is at most 1.2 times the true count.
#[test]
fn bounds_of_ten_kinds_hold_with_four_tokenizers() {
    let mut random = Random(13);
    let mut documents = Vec::new();
    for _ in 0..250 {
        for (kind, name) in KINDS.iter().enumerate() {
            let text = document(name, &mut random);
            documents.push((kind, tokens_of(&text)));
        }
    }
    let mut missed = [(0_u32, 0_u32); KINDS.len()];
    for hidden in 0..4 {
        let bench = bench();
        let mut of_tokenizer = (0, 0);
        let mut thousandths = 0;
        for (kind, (raw, tokens)) in &documents {
            let (kind, tokens) = (*kind, tokens[hidden]);
            let counted = TokenCount::exact(*raw).counted_with(Encoding::O200kBase);
            let call = Call::new("doc", KINDS[kind]).unwrap();
            let admission = bench.pipeline.admit(&call.with_document_tokens(counted));
            let permit = admission.permit().unwrap();
            let prompt = permit.ticket().measurement().unwrap().prompt();
            let bound = prompt.upper().unwrap();
            let promised = prompt.provenance();
            if matches!(
                promised,
                Provenance::Calibrated {
                    coverage_bp: 9_900,
                    ..
                }
            ) {
                let is_missed = u32::from(tokens > bound);
                missed[kind] = (missed[kind].0 + is_missed, missed[kind].1 + 1);
                of_tokenizer = (of_tokenizer.0 + is_missed, of_tokenizer.1 + 1);
            }
            thousandths += bound * 1_000 / tokens;
            let _ = permit.answer(Report::new().usage(tokens, 10));
        }
        let (above, judged) = of_tokenizer;
        assert!(judged >= 1_400, "{judged}");
        assert!(
            above * 1_000 <= judged * 15,
            "tokenizer {hidden}: {above} of {judged}"
        );
        let mean = thousandths / documents.len() as u64;
        assert!(mean <= 1_200, "tokenizer {hidden}: {mean}");
    }
    for (kind, (above, judged)) in KINDS.iter().zip(missed) {
        assert!(above * 1_000 <= judged * 15, "{kind}: {above} of {judged}");
    }
}
