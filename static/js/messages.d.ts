// Generated from moodmirror/live/message_schemas.py by `make types`: change that module, not this file.

type KeysOf<Union> = Union extends unknown ? keyof Union : never;
type OneOfAll<Union, All> = Union extends unknown
  ? Union & { [Key in Exclude<KeysOf<All>, keyof Union>]?: undefined }
  : never;

/** One of several objects; keys that only the others have are undefined. */
export type OneOf<Union> = OneOfAll<Union, Union>;

/** What the server acknowledges a message with: `Content`, or the error because of which it was rejected. */
export type Acknowledgement<Content> = OneOf<Content | ErrorAck>;

export type Emotion = "angry" | "disgust" | "fear" | "happy" | "sad" | "surprise" | "neutral";

export type Kind = "songs" | "movies" | "food" | "activities";

export type Mode = "match" | "lift" | "journey" | "surprise";

export type SpotifyState = "signed_out" | "reading" | "ready" | "failed";

export type Verdict = "like" | "play" | "skip" | "hide" | "save";

export type Erasable = "face" | "speech" | "text" | "chosen" | "course";

export type Source = "face" | "speech" | "text" | "chosen";

export type CameraState = "off" | "idle" | "starting" | "live" | "missing" | "busy" | "unplugged" | "blocked" | "frozen" | "black" | "unreadable" | "failing" | "away";

/** The state of speech recognition after a packet of sound. */
export interface AudioAck {
  /** root mean square in dB of full scale, −96 for silence */
  level: number;
  /** `listening` before the first reading */
  state: "listening" | "silence" | "speech";
  /** left out where there is no new one */
  reading?: SpeechReading;
}

/** A packet of sound: 16-bit little-endian samples, mono, at 16 kHz; at most one second (32,000 bytes). */
export type AudioPayload = ArrayBuffer | ArrayBufferView | Blob;

/** The status of the server's camera, with texts for the user. */
export interface CameraPayload {
  state: CameraState;
  message: string;
  advice: string;
}

/** An item with its table. */
export interface CatalogueItem {
  id: string;
  title: string;
  /** artist or cuisine, year, genre, duration, rating: one short line */
  about: string;
  /** a description in one sentence */
  line: string;
  links: Link[];
  /** of a film or series, 0…10, by the users of the site that it comes from */
  rating?: number;
  /** how many people rated it */
  votes?: number;
  kind: Kind;
}

/** The emotion that the visitor chose by hand; null to use the other sources again. */
export type ChoosePayload = Emotion | null;

/** The credentials with which a client connects. */
export interface ConnectAuth {
  /** from GET /token, with the same cookie */
  token: string;
}

/** The data of the error with which a connection is refused; the error's message is for the user. */
export interface ConnectRefusal {
  /** seconds after which to try again */
  again: number;
}

/** What one source contributes to a mood, and when its last reading was made. */
export interface Contribution {
  label: Emotion;
  confidence: number;
  /** how reliable the reading is */
  weight: number;
  /** seconds on the server's monotonic clock */
  at: number;
}

/** The moods that were added to the mood history, oldest first, one per second at most. */
export type CoursePayload = Mood[];

/** The message was processed. */
export interface EmptyAck {
}

/** The message was rejected. */
export interface ErrorAck {
  /** why, for the user or the developer of a client */
  error: string;
}

/** The faces that the server's camera sees. */
export interface FacesPayload {
  count: number;
  /** why the nearest face can't be read and what to do, for the user */
  obstacle: string | null;
}

/** The feedback was processed. */
export interface FeedbackAck {
  /** whether it is stored in the database at present */
  kept: boolean;
}

/** The visitor's opinion of an item, or that they save it. */
export interface FeedbackPayload {
  kind: Kind;
  id: string;
  verdict: Verdict;
  /** false withdraws the verdict */
  on?: boolean;
}

/** Which data of the session to delete: the readings of one source, the mood history (`course`), or everything (null). */
export type ForgetPayload = Erasable | null;

/** The faces in a frame, the nearest first, and the rate at which to send frames. */
export interface FrameAck {
  /** of the frame in pixels */
  width: number;
  height: number;
  faces: TrackedFace[];
  /** seconds to wait between two frames, so that the server can serve all visitors */
  pause: number;
}

/** One frame of the visitor's camera as a JPEG file. */
export type FramePayload = ArrayBuffer | ArrayBufferView | Blob;

/** Help for a person in a crisis: emitted at once for a text or wish that states one, and when `safe_tables` changes. */
export interface HelpPayload {
  /** whether such a statement was just found: show the help notice */
  statement: boolean;
  /** whether the tables show only what comforts, until the visitor chooses otherwise */
  safe_tables: boolean;
}

/** An item's page on another site, or a search for it there. */
export interface Link {
  name: string;
  url: string;
}

/** Whether the mood has been very low for minutes. */
export type LowPayload = boolean;

/** A mood with its display name and the contribution of each source. */
export interface Mood {
  label: Emotion | null;
  /** the share of the label */
  confidence: number;
  vector: Vector;
  /** from unpleasant (−1) to pleasant (1) */
  valence: number;
  /** from calm (−1) to aroused (1) */
  arousal: number;
  sources: Partial<Record<Source, number>>;
  /** its label, or both names of a mixed mood */
  name: string | null;
  /** the two emotions of sources that contradict each other strongly */
  mixed: Emotion[] | null;
  /** the contribution of each source */
  said: Partial<Record<Source, Contribution>>;
  /** when it was made, in seconds on the server's monotonic clock */
  at: number | null;
}

/** The table whose rows to replace by others. */
export type OthersPayload = Kind;

/** How to make the visitor's tables; fields that are left out take their defaults. */
export interface PreferencesPayload {
  mode?: Mode;
  /** the destination of a journey; null in all other modes */
  towards?: Emotion | null;
  /** another seed gives other surprises */
  seed?: number;
  /** values by the names of the table's filters */
  filters?: Partial<Record<Kind, Record<string, string>>>;
  /** a text query */
  wish?: string;
  /** the order of the movies: best match, or best rated of those that fit, first */
  sort?: "match" | "rating";
  /** the list of the visitor's liked songs from which to recommend songs; empty: from all songs */
  song_list?: string;
}

/** All four tables, best row first; empty when there is neither a mood nor a text query any more. */
export type RecommendationsPayload = Partial<Record<Kind, TableRow[]>>;

/** Whether the visitor's tables show only what comforts; false shows everything again. */
export type SafeTablesPayload = boolean;

/** A sentence of a text; positions count Unicode characters from 0. */
export interface Sentence {
  label: Emotion | null;
  /** the share of the label */
  confidence: number;
  vector: Vector;
  /** from unpleasant (−1) to pleasant (1) */
  valence: number;
  /** from calm (−1) to aroused (1) */
  arousal: number;
  start: number;
  /** exclusive */
  end: number;
}

/** The readings of analyzed files, which are held until another `show`, and fused with live ones of other sources. An empty list ends that. Shares by emotion are a mood instead, which holds until it is released by `choose` with null. */
export type ShowPayload = Partial<Record<Emotion, number>> | SourceReading[];

/** What one source says of a whole file or text, as an analysis returns it. */
export interface SourceReading {
  source: "face" | "speech" | "text";
  vector: Partial<Record<Emotion, number>>;
  weight: number;
}

/** The emotions recognized in the last three seconds of speech. */
export interface SpeechReading {
  label: Emotion | null;
  /** the share of the label */
  confidence: number;
  vector: Vector;
  /** from unpleasant (−1) to pleasant (1) */
  valence: number;
  /** from calm (−1) to aroused (1) */
  arousal: number;
  /** signal-to-noise ratio */
  snr_db: number;
  /** how reliable the reading is */
  weight: number;
}

/** A list of the visitor's liked songs, to choose in the preferences as `song_list`. */
export interface SpotifyList {
  /** `liked` for all of them, or a group's mood */
  name: string;
  /** how many */
  songs: number;
}

/** The visitor's sign-in to Spotify, and their liked songs. */
export interface SpotifyPayload {
  state: SpotifyState;
  /** liked songs that are read */
  read: number;
  /** of how many; null while that is unknown */
  total: number | null;
  /** how many of them the catalogue has */
  in_catalogue: number;
  /** how many have a mood that is only guessed */
  guessed: number;
  /** why reading failed and what to do, for the user */
  message: string;
  lists: SpotifyList[];
}

/** A newer text arrived before this one was analyzed, which was therefore dropped. */
export interface SupersededAck {
  superseded: true;
}

/** One row of a table on the page. */
export interface TableRow {
  id: string;
  title: string;
  /** artist or cuisine, year, genre, duration, rating: one short line */
  about: string;
  /** a description in one sentence */
  line: string;
  links: Link[];
  /** of a film or series, 0…10, by the users of the site that it comes from */
  rating?: number;
  /** how many people rated it */
  votes?: number;
  /** the main reason, in one sentence */
  why: string;
  /** further reasons, in sentences */
  details: string[];
  score: number;
  /** by the visitor; always false in the HTTP API, which uses nobody's taste */
  liked: boolean;
  /** by the visitor */
  saved: boolean;
}

/** The visitor's stored data, as far as the page shows it. */
export interface TastePayload {
  /** whether anything can be stored at present */
  kept: boolean;
  /** how many */
  opinions: number;
  /** newest first */
  saved: CatalogueItem[];
  /** newest first */
  hidden: CatalogueItem[];
}

/** The emotions recognized in a text; the label is null for an empty text. */
export interface TextAck {
  label: Emotion | null;
  /** the share of the label */
  confidence: number;
  vector: Vector;
  /** from unpleasant (−1) to pleasant (1) */
  valence: number;
  /** from calm (−1) to aroused (1) */
  arousal: number;
  /** the ISO 639 code of the text's language; null for an empty text */
  language: string | null;
  /** false for a language that the server can't read */
  language_known: boolean;
  /** how reliable the reading is */
  weight: number;
  course: Sentence[];
  /** the most influential words, in their order */
  words: Word[];
  /** whether the text states suicidality or self-harm */
  states_crisis: boolean;
}

/** The content of the text box; an empty text removes the reading of the last one. */
export type TextPayload = string;

/** A face in a frame. If it can't be read, the label is null and `obstacle` says why. */
export interface TrackedFace {
  /** identifies the face from frame to frame, from 1; 0 in a single picture */
  number: number;
  /** x, y, width and height in pixels of the picture */
  box: [number, number, number, number];
  label: Emotion | null;
  confidence: number;
  /** why the face can't be read and what to do, for the user */
  obstacle: string | null;
}

/** The shares of the seven emotions, which sum to 1; all 0 where nothing was recognized. */
export interface Vector {
  angry: number;
  disgust: number;
  fear: number;
  happy: number;
  sad: number;
  surprise: number;
  neutral: number;
}

/** Whether the visitor watches the server's camera, and so shares the mood of the camera room. */
export type WatchPayload = boolean;

/** A word of a text that influenced its label strongly; positions count Unicode characters from 0. */
export interface Word {
  start: number;
  /** exclusive */
  end: number;
  /** how much of the label's share depends on the word */
  weight: number;
}

/** Events that the page emits. */
export interface ClientToServerEvents {
  frame: (payload: FramePayload, callback: (answer: Acknowledgement<FrameAck>) => void) => void;
  audio: (payload: AudioPayload, callback: (answer: Acknowledgement<AudioAck>) => void) => void;
  text: (payload: TextPayload, callback: (answer: Acknowledgement<TextAck | SupersededAck>) => void) => void;
  choose: (...parameters: [payload: ChoosePayload] | [payload: ChoosePayload, callback: (answer: Acknowledgement<EmptyAck>) => void]) => void;
  show: (...parameters: [payload: ShowPayload] | [payload: ShowPayload, callback: (answer: Acknowledgement<EmptyAck>) => void]) => void;
  forget: (...parameters: [payload: ForgetPayload] | [payload: ForgetPayload, callback: (answer: Acknowledgement<EmptyAck>) => void]) => void;
  watch: (...parameters: [payload: WatchPayload] | [payload: WatchPayload, callback: (answer: Acknowledgement<EmptyAck>) => void]) => void;
  preferences: (payload: PreferencesPayload, callback: (answer: Acknowledgement<EmptyAck>) => void) => void;
  feedback: (...parameters: [payload: FeedbackPayload] | [payload: FeedbackPayload, callback: (answer: Acknowledgement<FeedbackAck>) => void]) => void;
  others: (...parameters: [payload: OthersPayload] | [payload: OthersPayload, callback: (answer: Acknowledgement<EmptyAck>) => void]) => void;
  safe_tables: (...parameters: [payload: SafeTablesPayload] | [payload: SafeTablesPayload, callback: (answer: Acknowledgement<EmptyAck>) => void]) => void;
}

/** Events that the server emits. */
export interface ServerToClientEvents {
  mood: (payload: Mood) => void;
  recommendations: (payload: RecommendationsPayload) => void;
  camera: (payload: CameraPayload) => void;
  faces: (payload: FacesPayload) => void;
  course: (payload: CoursePayload) => void;
  low: (payload: LowPayload) => void;
  help: (payload: HelpPayload) => void;
  taste: (payload: TastePayload) => void;
  spotify: (payload: SpotifyPayload) => void;
}
