//! Documents of ten kinds, made with a seed.

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

/// A generator of numbers that look random (Knuth's MMIX constants).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % n
    }

    fn word<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn amount(&mut self) -> String {
        format!("{}.{:02}", self.below(100_000), self.below(100))
    }
}

pub(super) const KINDS: [&str; 10] = [
    "prose", "german", "chinese", "json", "csv", "html", "code", "digits", "codes", "mail",
];

/// A document of a kind, of 3,000 to 4,500 bytes.
pub(super) fn document(kind: &str, random: &mut Random) -> String {
    let length = 3_000 + random.below(1_500);
    let words = |of: &'static str| of.split_whitespace().collect::<Vec<_>>();
    let (english, german, code) = (words(ENGLISH), words(GERMAN), words(CODE));
    let chinese: Vec<char> = CHINESE.chars().collect();
    let mut text = String::new();
    while text.len() < length {
        let piece = match kind {
            "prose" => format!("{} ", random.word(&english)),
            "german" => format!("{} ", random.word(&german)),
            "chinese" => random.word(&chinese).to_string(),
            "json" => format!(
                "{{\"{}\": {}, \"{}\": \"{}\"}},\n",
                random.word(&english),
                random.amount(),
                random.word(&english),
                random.word(&german)
            ),
            "csv" => format!(
                "{};{};{};{}\n",
                random.below(1_000_000),
                random.word(&german),
                random.amount(),
                random.amount()
            ),
            "html" => format!(
                "<tr><td class=\"{}\">{}</td><td>{}</td></tr>\n",
                random.word(&english),
                random.word(&english),
                random.amount()
            ),
            "code" => format!(
                "    {} {}({}, {});\n",
                random.word(&code),
                random.word(&code),
                random.word(&english),
                random.below(100)
            ),
            "digits" => format!("{} {} ", random.below(1_000_000_000), random.amount()),
            "codes" => (0..12)
                .map(|_| char::from(b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789-"[random.below(33)]))
                .collect(),
            _ if random.below(6) == 0 => format!("{} EUR ", random.amount()),
            _ => format!("{} ", random.word(&english)),
        };
        text.push_str(&piece);
    }
    text
}
