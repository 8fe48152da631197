//! What the engine tells while it loads or imports an image.

use crate::error::Error;
use crate::print;
use sampan_api::JsonLines;
use sampan_api::body::Progress;

/// Prints messages as they come; bars of progress are for another day's terminal.
///
/// # Errors
/// When the engine reports one, or the connection breaks.
pub(crate) async fn show(mut lines: JsonLines<Progress>) -> Result<(), Error> {
    while let Some(message) = lines.next().await? {
        let detail = message.error_detail.map(|detail| detail.message).filter(|text| !text.is_empty());
        if let Some(error) = detail.or(message.error) {
            return Err(Error::Stream(error));
        }
        if let Some(text) = message.stream {
            print::text(&text);
        } else if let (Some(status), None) = (message.status, message.progress_detail) {
            let id = message.id.map(|id| format!("{id}: ")).unwrap_or_default();
            print::line(&format!("{id}{status}"));
        }
    }
    Ok(())
}
