use super::*;

fn stored(subject: &str, text: &str, html: &str) -> StoredTemplate {
    StoredTemplate {
        kind: NoticeKind::BookingConfirmed,
        subject: subject.to_owned(),
        text: text.to_owned(),
        html: html.to_owned(),
    }
}

fn hostile() -> Letter {
    let evil = "<script>alert(1)</script> {{ 7 * 7 }} & \"quotes\"";
    Letter {
        name: evil.to_owned(),
        title: format!("{evil}\r\nBcc: all@example.org"),
        location: evil.to_owned(),
        message: evil.to_owned(),
        subject: evil.to_owned(),
        ..Letter::example(NoticeKind::EventChanged)
    }
}

#[test]
fn every_built_in_template_says_what_matters() {
    let templates = Templates::new();
    for kind in NoticeKind::ALL {
        let letter = Letter::example(*kind);
        let texts = templates.render(*kind, &letter);
        let html = texts.html.replace("&#x2f;", "/");
        for text in [&texts.text, &html] {
            assert!(text.contains("Ada") && text.contains("Bern"), "{kind:?}: {text}");
            assert!(text.contains("15:00 to 17:00 (Europe/Zurich)"), "{kind:?}: {text}");
            assert!(text.contains(&letter.url), "{kind:?}: {text}");
        }
        assert!(texts.text.contains("Tea & Cake") && texts.html.contains("Tea &amp; Cake"));
        assert!(!texts.text.contains("\n\n\n"), "{kind:?}: no gaps\n{}", texts.text);
        assert!(!texts.subject.is_empty() && !texts.subject.contains('\n'), "{kind:?}");
        templates.try_out(&Templates::source(*kind)).expect("it could be set as well");
    }
}

#[test]
fn what_people_wrote_does_nothing_anywhere() {
    let templates = Templates::new();
    for kind in NoticeKind::ALL {
        let texts = templates.render(*kind, &hostile());
        assert!(!texts.html.contains("<script>"), "{kind:?}: {}", texts.html);
        assert!(!texts.html.contains("49") && !texts.text.contains("49"), "{kind:?}");
        assert!(!texts.subject.contains(['\r', '\n']), "{kind:?}: {:?}", texts.subject);
        assert!(texts.subject.chars().count() <= SUBJECT_CHARS);
    }
}

#[test]
fn a_template_that_was_set_is_used_until_it_is_not() {
    let templates = Templates::new();
    let letter = hostile();
    templates.set(&stored("Yes: {{ title }}", "{{ name }}", "<b>{{ name }}</b>")).unwrap();
    let texts = templates.render(NoticeKind::BookingConfirmed, &letter);
    assert!(texts.subject.starts_with("Yes: <script>"), "a subject is no HTML");
    assert!(texts.html.starts_with("<b>&lt;script&gt;"), "{}", texts.html);
    let other = templates.render(NoticeKind::BookingCancelled, &letter);
    assert!(!other.subject.starts_with("Yes"));
    templates.unset(NoticeKind::BookingConfirmed);
    let texts = templates.render(NoticeKind::BookingConfirmed, &letter);
    assert!(!texts.subject.starts_with("Yes"));
}

#[test]
fn a_template_that_cannot_be_used_is_refused_with_the_part_and_why() {
    let templates = Templates::new();
    let endless = "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}";
    for (template, part) in [
        (stored("{{ title", "a", "b"), "subject"),
        (stored("a", "{{ nobody.knows }}", "b"), "text"),
        (stored("a", "b", "{% if %}"), "html"),
        (stored("a", "b", endless), "html"),
        (stored("a", "{% include 'BookingConfirmed.txt' %}", "b"), "text"),
        (stored("{{ '' }}", "a", "b"), "subject"),
        (stored("a", "b", "{{ 'x' * 999999999 }}"), "html"),
    ] {
        let wrong = templates.set(&template).unwrap_err();
        assert_eq!(wrong.part, part, "{template:?}: {}", wrong.why);
        assert!(!wrong.why.contains('\n'), "{}", wrong.why);
    }
    let texts = templates.render(NoticeKind::BookingConfirmed, &hostile());
    assert!(texts.text.contains("Bern") || texts.text.contains("script"), "the built-in one");
}

#[test]
fn one_that_fails_only_for_some_is_replaced_for_them() {
    let templates = Templates::new();
    let only_changes = "{% if changes %}{{ changes[0].nothing.more }}{% else %}fine{% endif %}";
    templates.set(&stored("s", only_changes, "h")).unwrap();
    let fine = Letter::example(NoticeKind::BookingConfirmed);
    assert_eq!(templates.render(NoticeKind::BookingConfirmed, &fine).text, "fine");
    let fails = Letter::example(NoticeKind::EventChanged);
    assert!(templates.render(NoticeKind::BookingConfirmed, &fails).text.contains("Bern"));
}

#[test]
fn subjects_are_one_line_of_bounded_length() {
    assert_eq!(one_line(" a\r\n\tb\u{0}c \u{2028} d "), "a b c d");
    let long = one_line(&"x".repeat(500));
    assert_eq!(long.chars().count(), SUBJECT_CHARS);
    assert!(long.ends_with('…'));
}
