//! `sampan events`.

use crate::context::Context;
use crate::error::Error;
use crate::flags::Count;
use crate::format::json::Json;
use crate::format::template::Format;
use crate::options::filter::{Filter, filter, filters};
use crate::print;
use crate::verb::Verb;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sampan_api::body::Event;
use sampan_api::time::point_in_time;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Events {
    /// Filter output based on conditions provided
    #[arg(short, long, value_name = "filter", value_parser = filter)]
    filter: Vec<Filter>,
    #[arg(long, value_name = "string", help = super::FORMAT_HELP)]
    format: Option<String>,
    /// Show all events created since timestamp
    #[arg(long, value_name = "string")]
    since: Option<String>,
    /// Stream events until this timestamp
    #[arg(long, value_name = "string")]
    until: Option<String>,
}

impl Verb for Events {
    const NAME: &'static str = "events";
    const ABOUT: &'static str = "Get real time events from the server";
    const USAGE: &'static str = "[OPTIONS]";
    const ALIASES: &'static [&'static str] = &["system events", "events"];
    const COUNT: Count = Count::None;

    fn run(self, context: &Context) -> Result<u8, Error> {
        let shape = Shape::new(self.format.as_deref().unwrap_or_default().trim())?;
        let now = Timestamp::now();
        let time = |name: &str, text: &Option<String>| {
            let text = text.as_deref().filter(|text| !text.is_empty());
            let point = text.map(|text| point_in_time(text, now)).transpose();
            point.map_err(|error| Error::Invalid(format!("invalid value for {name:?}: {error}")))
        };
        let (since, until) = (time("since", &self.since)?, time("until", &self.until)?);
        let client = context.client()?;
        context.block_on(async {
            let filters = filters(&self.filter);
            let mut events = client.events(since.as_deref(), until.as_deref(), &filters).await?;
            while let Some(event) = events.next().await? {
                print::line(&shape.text(&event)?);
            }
            Ok(0)
        })
    }
}

/// What a line looks like.
enum Shape {
    Text,
    Json,
    Template(Format),
}

impl Shape {
    fn new(format: &str) -> Result<Self, Error> {
        Ok(match format {
            "" => Self::Text,
            "json" | "{{json .}}" => Self::Json,
            template => Self::Template(Format::new(template)?),
        })
    }

    fn text(&self, event: &Event) -> Result<String, Error> {
        Ok(match self {
            Self::Text => line(event),
            // Strings and numbers: it always serializes.
            Self::Json => serde_json::to_string(event).unwrap_or_default(),
            Self::Template(format) => format.apply(&document(event))?,
        })
    }
}

/// What a template sees: fields by the names that they have in Docker's programs, not in its JSON.
fn document(event: &Event) -> Json {
    let text = |text: &str| Json::String(text.to_owned());
    let object = |members: Vec<(&str, Json)>| {
        Json::Object(members.into_iter().map(|(name, member)| (name.to_owned(), member)).collect())
    };
    let attributes = event.actor.attributes.iter().map(|(name, value)| (name.as_str(), text(value)));
    let actor = vec![("ID", text(&event.actor.id)), ("Attributes", object(attributes.collect()))];
    object(vec![
        ("Status", text(&event.status)),
        ("ID", text(&event.id)),
        ("From", text(&event.from)),
        ("Type", text(&event.r#type)),
        ("Action", text(&event.action)),
        ("Actor", object(actor)),
        ("Scope", text(&event.scope)),
        ("Time", Json::Number(event.time.into())),
        ("TimeNano", Json::Number(event.time_nano.into())),
    ])
}

/// Time, type, action, id, and the attributes by name.
fn line(event: &Event) -> String {
    let attributes = event.actor.attributes.iter().map(|(name, value)| format!("{name}={value}"));
    let attributes = attributes.collect::<Vec<_>>().join(", ");
    let more = if attributes.is_empty() { String::new() } else { format!(" ({attributes})") };
    let Event { r#type, action, actor, .. } = event;
    format!("{} {type} {action} {}{more}", local(event), actor.id, type = r#type)
}

fn local(event: &Event) -> String {
    let time = match event.time_nano {
        0 => Timestamp::from_second(event.time),
        nanos => Timestamp::from_nanosecond(i128::from(nanos)),
    };
    let time = time.unwrap_or_default().to_zoned(TimeZone::system());
    time.strftime("%Y-%m-%dT%H:%M:%S.%9f%:z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sampan_api::body::Actor;

    #[test]
    fn a_line_has_dockers_form() {
        let attributes = [("name", "x"), ("image", "i")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        let event = Event {
            r#type: "container".into(),
            action: "die".into(),
            actor: Actor { id: "abc".into(), attributes: attributes.into() },
            time: 5,
            time_nano: 5_000_000_007,
            ..Event::default()
        };
        let text = line(&event);
        assert!(text.ends_with(" container die abc (image=i, name=x)"), "{text}");
        assert!(text.contains(":05.000000007"), "{text}");
        let all = Event { actor: Actor { id: "abc".into(), ..Actor::default() }, ..event };
        assert!(line(&all).ends_with(" container die abc"));
    }
}
