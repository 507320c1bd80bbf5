;; Every task answers with what it was asked: the bytes of the picture, or of the text (a byte for each
;; character up to U+00FF), are put to the beginning of memory, and whatever the host then reads of the
;; answer lies where these bytes say. Their first words are, in this order: where the answer is; the level
;; of a message to log, plus 1, or 0 for none; where the message is, and its length; where the answers of
;; four calls of `next` are.
;;
;; Promise: whatever a guest hands to the host is an answer within its limits, or the guest's failure.
;; Expected: an answer, `guest.*`, `input.*` or `limit.output`.
(component
  (type $log-types (instance
    (type $level (enum "error" "warn" "info" "debug"))
    (export "level" (type $exported (eq $level)))
    (export "write" (func (param "level" $exported) (param "message" string)))))
  (import "ampoule:model/log@0.1.0" (instance $log (type $log-types)))
  (type $generation (resource (rep i32)))
  (core func $new (canon resource.new $generation))
  ;; The memory comes first, since lowering the import needs it.
  (core module $libc (memory (export "memory") 3))
  (core instance $libc (instantiate $libc))
  (core func $write (canon lower (func $log "write") (memory (core memory $libc "memory"))))
  (core module $guest
    (import "generation" "new" (func $new (param i32) (result i32)))
    (import "log" "write" (func $write (param i32 i32 i32)))
    (import "libc" "memory" (memory 3))
    (export "memory" (memory 0))
    ;; Both answers are zeros: `ok`, and empty strings and lists.
    (func (export "init") (result i32) (i32.const 16))
    (func (export "describe") (result i32) (i32.const 16))

    ;; The answer, once its bytes are in their place.
    (func $answer (result i32)
      (if (i32.load (i32.const 4))
        (then
          (call $write
            (i32.sub (i32.load (i32.const 4)) (i32.const 1))
            (i32.load (i32.const 8)) (i32.load (i32.const 12)))))
      (i32.load (i32.const 0)))
    (func $answer-pixels (param $at i32) (param $length i32) (result i32)
      (memory.copy (i32.const 0) (local.get $at) (local.get $length))
      (call $answer))
    ;; Two bytes of UTF-8 are a character from U+0080 on.
    (func $answer-text (param $at i32) (param $length i32) (result i32)
      (local $end i32) (local $to i32) (local $byte i32)
      (local.set $end (i32.add (local.get $at) (local.get $length)))
      (block $done
        (loop $again
          (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
          (local.set $byte (i32.load8_u (local.get $at)))
          (if (i32.ge_u (local.get $byte) (i32.const 0x80))
            (then
              (local.set $at (i32.add (local.get $at) (i32.const 1)))
              (local.set $byte
                (i32.or
                  (i32.shl (local.get $byte) (i32.const 6))
                  (i32.and (i32.load8_u (local.get $at)) (i32.const 0x3f))))))
          (i32.store8 (local.get $to) (local.get $byte))
          (local.set $to (i32.add (local.get $to) (i32.const 1)))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $again)))
      (call $answer))

    ;; The first of the texts.
    (func (export "take-texts") (param $texts i32) (param $count i32) (result i32)
      (call $answer-text
        (i32.load (local.get $texts)) (i32.load offset=4 (local.get $texts))))
    ;; The first of the images, which is one of pixels.
    (func (export "take-images") (param $images i32) (param $count i32) (result i32)
      (call $answer-pixels
        (i32.load offset=12 (local.get $images)) (i32.load offset=16 (local.get $images))))
    (func (export "classify") (param i32 i32 i32 i32 i32 i32) (result i32)
      (call $answer-pixels (local.get 3) (local.get 4)))
    ;; The first content of the first message is an image of pixels.
    (func (export "generate")
      (param $messages i32) (param i32 f32 f32 i32 i32 i64 i32 i32 i32 i32 i32) (result i32)
      (local $contents i32)
      (drop (call $new (i32.const 0)))
      (local.set $contents (i32.load offset=8 (local.get $messages)))
      (call $answer-pixels
        (i32.load offset=16 (local.get $contents)) (i32.load offset=20 (local.get $contents))))
    (global $calls (mut i32) (i32.const 0))
    (func (export "next") (param i32) (result i32)
      (i32.load offset=16 (i32.mul (i32.const 4) (i32.and (global.get $calls) (i32.const 3))))
      (global.set $calls (i32.add (global.get $calls) (i32.const 1))))

    ;; Never frees; what the host hands over stands from the second page on.
    (global $top (mut i32) (i32.const 65536))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $top)
      (global.set $top
        (i32.and
          (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 7)) (i32.const -8))))
  )
  (core instance $guest (instantiate $guest
    (with "generation" (instance (export "new" (func $new))))
    (with "log" (instance (export "write" (func $write))))
    (with "libc" (instance $libc))))

  ;; contract: text-generation
  (type $tokens (record (field "ids" (list u32)) (field "truncated" bool)))
  (func $tokenize (param "texts" (list string)) (result (result (list $tokens) (error $error)))
    (canon lift (core func $guest "take-texts") (memory $memory) (realloc $realloc)))
  (instance $text-tokenization
    (export "error" (type $error)) (export "tokens" (type $tokens))
    (export "tokenize" (func $tokenize)))
  (type $text-embeddings (record
    (field "dimensions" u32) (field "values" (list f32))
    (field "truncated" (list bool)) (field "usage" $usage)))
  (func $embed-text (param "texts" (list string))
    (result (result $text-embeddings (error $error)))
    (canon lift (core func $guest "take-texts") (memory $memory) (realloc $realloc)))
  (instance $text-embedding
    (export "error" (type $error)) (export "usage" (type $usage))
    (export "embeddings" (type $text-embeddings)) (export "embed" (func $embed-text)))
  (type $image-embeddings (record
    (field "dimensions" u32) (field "values" (list f32)) (field "usage" $usage)))
  (func $embed-images (param "images" (list $image))
    (result (result $image-embeddings (error $error)))
    (canon lift (core func $guest "take-images") (memory $memory) (realloc $realloc)))
  (instance $image-embedding
    (export "error" (type $error)) (export "usage" (type $usage))
    (export "rgb8-image" (type $rgb8-image)) (export "image" (type $image))
    (export "embeddings" (type $image-embeddings)) (export "embed" (func $embed-images)))
  (type $label (record (field "name" string) (field "score" f32)))
  (func $classify (param "image" $image) (param "top-k" u32)
    (result (result (list $label) (error $error)))
    (canon lift (core func $guest "classify") (memory $memory) (realloc $realloc)))
  (instance $image-classification
    (export "error" (type $error))
    (export "rgb8-image" (type $rgb8-image)) (export "image" (type $image))
    (export "label" (type $label)) (export "classify" (func $classify)))
  (export "ampoule:model/text-tokenization@0.1.0" (instance $text-tokenization))
  (export "ampoule:model/text-embedding@0.1.0" (instance $text-embedding))
  (export "ampoule:model/image-embedding@0.1.0" (instance $image-embedding))
  (export "ampoule:model/image-classification@0.1.0" (instance $image-classification))
)
