use super::*;

#[test]
fn the_log_says_sent_only_of_what_was_sent() {
    assert_eq!(told(&Outcome::Refused(Class::Unavailable)), "end not sent");
    assert_eq!(told(&Outcome::Refused(Class::Credentials)), "end refused");
    assert_eq!(told(&Outcome::Unknown), "end sent, and not answered");
}
