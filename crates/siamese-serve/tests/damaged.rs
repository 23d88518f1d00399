//! Damaged requests: each is answered, by a sentence, and none by a fault. For long: the example `fuzz_bodies`.

mod bodies;
mod support;

use std::collections::BTreeMap;

use anyhow::Result;
use support::server_with_gallery;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_requests_are_answered_by_sentences() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let router = server_with_gallery(folder.path(), bodies::config(), |_| {})?.router();
    let mut bodies = bodies::Bodies::new(1)?;
    let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
    for _ in 0..1500 {
        let (status, wrong) = bodies::answered(router.clone(), bodies.draw()?).await?;
        assert_eq!(wrong, None);
        *statuses.entry(status).or_default() += 1;
    }
    // both sound and damaged ones were among them
    assert!(
        statuses.get(&200) > Some(&50) && statuses.get(&400) > Some(&300),
        "{statuses:?}"
    );
    Ok(())
}
