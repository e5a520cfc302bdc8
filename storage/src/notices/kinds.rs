//! Kinds and states of notices, each with its one spelling.

/// Declares a closed set of words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$of])* $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// As it is written and stored.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The one that is written so.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text)
            }
        }
    };
}

words! {
    /// What a notice is about.
    NoticeKind {
        /// Somebody has places.
        BookingConfirmed = "BookingConfirmed",
        /// Somebody waits.
        BookingWaitlisted = "BookingWaitlisted",
        /// Somebody who waited has places now.
        BookingPromoted = "BookingPromoted",
        /// A booking or a waiting entry ended.
        BookingCancelled = "BookingCancelled",
        /// Places were set aside for somebody, and the time is over.
        HoldExpired = "HoldExpired",
        /// Time, place or title changed.
        EventChanged = "EventChanged",
        /// The event does not take place.
        EventCancelled = "EventCancelled",
        /// It starts soon.
        EventReminder = "EventReminder",
        /// What its organizer wrote.
        OrganizerMessage = "OrganizerMessage",
    }
}

/// Whom a kind of notice reaches. Each has a queue of its own: what concerns one person does
/// not wait for what goes to many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// What became of a person's own places.
    Person,
    /// What all attendees of an event are told at once; they may be very many.
    Crowd,
}

impl NoticeKind {
    /// Whom those of this kind reach.
    #[must_use]
    pub const fn reach(self) -> Reach {
        match self {
            Self::BookingConfirmed
            | Self::BookingWaitlisted
            | Self::BookingPromoted
            | Self::BookingCancelled
            | Self::HoldExpired => Reach::Person,
            Self::EventChanged
            | Self::EventCancelled
            | Self::EventReminder
            | Self::OrganizerMessage => Reach::Crowd,
        }
    }
}

words! {
    /// How a notice stands.
    NoticeStatus {
        /// It is to be sent.
        Queued = "queued",
        /// It was handed over.
        Sent = "sent",
        /// It could not be, and is not tried again.
        Failed = "failed",
        /// It must not be sent.
        Suppressed = "suppressed",
    }
}
