//! Paths, queries and filters of requests: what is accepted is the same when it is sent on.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sampan_api::filters::Filters;
use sampan_api::query::Query;
use sampan_api::version::split_path;

fuzz_target!(|text: &str| {
    let (_, rest) = split_path(text);
    assert!(text.ends_with(rest));
    let query = Query::parse(text);
    let _ = (query.flag("all"), query.number::<i64>("limit"), query.text("name"));
    let query = Query::default().with("name", text).with("after", "1");
    assert_eq!(Query::parse(&query.to_suffix()[1..]), query);
    if let Ok(filters) = Filters::parse(text) {
        assert_eq!(Filters::parse(&filters.to_json()).ok(), Some(filters));
    }
});
