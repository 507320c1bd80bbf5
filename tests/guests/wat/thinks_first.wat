;; A generation whose first chunk comes late. `top-k` says how the time before it goes by: 1, `generate` never returns;
;; 2, the first `next` never returns; 3, `generate` sleeps; otherwise the first `next` sleeps. It sleeps for as many
;; milliseconds as `max-output-tokens` says. Then there are two chunks, `late ` and `word`.
;;
;; Promise: a client that waits for the first chunk is told that the model is at work, and one that goes away meanwhile
;; leaves nothing behind. Expected: two chunks; `limit.deadline` where it comes first, always for 1 and 2.
(component
  (type $poll-types (instance
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
  (import "wasi:io/poll@0.2.0" (instance $poll (type $poll-types)))
  (alias export $poll "pollable" (type $pollable))
  (type $clock-types (instance
    (alias outer 1 $pollable (type $outer))
    (export "pollable" (type $same (eq $outer)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $same))))))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock (type $clock-types)))
  (core func $subscribe (canon lower (func $clock "subscribe-duration")))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $drop (canon resource.drop $pollable))
  (type $generation (resource (rep i32)))
  (core func $new (canon resource.new $generation))
  (core module $guest
    (import "clock" "subscribe" (func $subscribe (param i64) (result i32)))
    (import "clock" "block" (func $block (param i32)))
    (import "clock" "drop" (func $drop (param i32)))
    (import "generation" "new" (func $new (param i32) (result i32)))
    (memory (export "memory") 1)
    ;; Both answers are zeros: `ok`, and empty strings and lists.
    (func (export "init") (result i32) (i32.const 16))
    (func (export "describe") (result i32) (i32.const 16))
    (global $kind (mut i32) (i32.const 0))
    (global $milliseconds (mut i64) (i64.const 0))
    (global $given (mut i32) (i32.const 0))
    (func $sleep
      (local $end i32)
      (local.set $end (call $subscribe (i64.mul (global.get $milliseconds) (i64.const 1000000))))
      (call $block (local.get $end))
      (call $drop (local.get $end)))
    ;; The handle is written to 68; 64 says `ok`.
    (func (export "generate")
      (param i32 i32 f32 f32) (param $top-k i32) (param i32 i64) (param $most i32) (param i32 i32 i32 i32)
      (result i32)
      (global.set $kind (local.get $top-k))
      (global.set $milliseconds (i64.extend_i32_u (local.get $most)))
      (if (i32.eq (global.get $kind) (i32.const 1)) (then (loop $again (br $again))))
      (if (i32.eq (global.get $kind) (i32.const 3)) (then (call $sleep)))
      (i32.store (i32.const 68) (call $new (i32.const 0)))
      (i32.const 64))
    ;; Chunks with a text: the first at 128, and the last at 192 with the reason `stop` and two tokens.
    (data (i32.const 132) "\01\00\00\00" "\00\02\00\00\05\00\00\00")
    (data (i32.const 196) "\01\00\00\00" "\05\02\00\00\04\00\00\00" "\01\00\00\00"
                          "\09\02\00\00\04\00\00\00" "\01\00\00\00\02\00\00\00")
    (data (i32.const 512) "late wordstop")
    (func (export "next") (param $self i32) (result i32)
      (if (global.get $given) (then (return (i32.const 192))))
      (global.set $given (i32.const 1))
      (if (i32.eq (global.get $kind) (i32.const 2)) (then (loop $again (br $again))))
      (if (i32.ne (global.get $kind) (i32.const 3)) (then (call $sleep)))
      (i32.const 128))
    ;; Never frees; starts above everything else.
    (global $top (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $top)
      (global.set $top
        (i32.and
          (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 7)) (i32.const -8))))
  )
  (core instance $guest (instantiate $guest
    (with "clock" (instance
      (export "subscribe" (func $subscribe)) (export "block" (func $block)) (export "drop" (func $drop))))
    (with "generation" (instance (export "new" (func $new))))))

  ;; contract: text-generation
)
