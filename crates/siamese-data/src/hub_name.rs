//! What a repository of the hub is called.

/// The repository that a word names, as `timm/resnet50.tv_in1k` or `hf:user/name` do; `None` where it names none.
///
/// ```
/// use siamese_data::hub_name;
/// assert_eq!(hub_name("timm/resnet50.tv_in1k"), Some("timm/resnet50.tv_in1k"));
/// assert_eq!(hub_name("hf:me/mine"), Some("me/mine"));
/// assert_eq!(hub_name("runs/birds-1/best.safetensors"), None);
/// assert_eq!(hub_name("../mine"), None);
/// ```
pub fn hub_name(word: &str) -> Option<&str> {
    let name = word.strip_prefix("hf:").unwrap_or(word);
    let (user, rest) = name.split_once('/')?;
    let plain = |part: &str| {
        let letters = part
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        letters && !part.starts_with('.') && !part.is_empty()
    };
    let is_file = rest.ends_with(".safetensors");
    (plain(user) && plain(rest) && !is_file).then_some(name)
}
