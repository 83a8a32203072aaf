//! Act one: a pipeline without guards. It drops each error and goes on to the next document.

use crate::client::Extractor;
use crate::documents::Documents;
use crate::report::{Act, progress};
use crate::schedule::Night;
use crate::versions::Versions;

pub(crate) async fn run(
    night: &Night,
    documents: &Documents,
    versions: &Versions,
    extractor: &Extractor,
) -> Act {
    let mut act = Act::new("Act one: the night as it was, without guards");
    let bar = progress(night.number(), "without guards");
    for arrival in night.arrivals(documents) {
        bar.inc(1);
        let version = if arrival.at < night.ships_at {
            &versions.v6
        } else {
            &versions.v7
        };
        let text = &arrival.document.text;
        let end = match extractor.extract(version.id(), version.model(), text).await {
            Ok(_answer) => "approval queue",
            Err(_ignored) => {
                act.first_bad.get_or_insert(arrival.at);
                NOWHERE
            }
        };
        act.count(&arrival, version.id(), end);
    }
    bar.finish_and_clear();
    act.noticed_at = act.first_bad.map(|_| night.ends());
    act
}

/// Where a document ends whose error was dropped.
pub(crate) const NOWHERE: &str = "nowhere";
