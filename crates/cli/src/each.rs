//! The same for several containers or images at once.

use crate::error::Error;
use crate::print;
use sampan_api::Client;
use std::sync::Arc;

/// Does `work` with each name at the same time. Prints what each gives, in order, and reports each failure. The exit
/// code is 1 if one failed.
pub(crate) async fn each<W>(
    client: &Arc<Client>,
    names: Vec<String>,
    work: impl Fn(Arc<Client>, String) -> W,
) -> Result<u8, Error>
where
    W: Future<Output = Result<String, Error>> + Send + 'static,
{
    let tasks: Vec<_> = names.into_iter().map(|name| tokio::spawn(work(Arc::clone(client), name))).collect();
    let mut code = 0;
    for task in tasks {
        match task.await.map_err(std::io::Error::from)? {
            Ok(text) if text.is_empty() => {}
            Ok(text) => print::line(&text),
            Err(error) => {
                print::error(&error.to_string());
                code = 1;
            }
        }
    }
    Ok(code)
}
