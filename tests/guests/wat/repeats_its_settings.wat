;; A generation of one chunk, which tells the request's settings as words of eight hexadecimal digits: the bits of
;; `temperature`, the bits of `top-p`, `top-k`, 1 where there is a `seed`, its upper half, its lower half,
;; `max-output-tokens`, the number of messages, of stop strings and of options.
;;
;; Promise: a model gets the settings that its caller asked for. Expected: ten words.
(component
  (type $generation (resource (rep i32)))
  (core func $new (canon resource.new $generation))
  (core module $guest
    (import "generation" "new" (func $new (param i32) (result i32)))
    ;; The settings are told in the first page. What is handed over, pictures too, comes into the others.
    (memory (export "memory") 64)
    ;; Both answers are zeros: `ok`, and empty strings and lists.
    (func (export "init") (result i32) (i32.const 16))
    (func (export "describe") (result i32) (i32.const 16))
    (data (i32.const 512) "0123456789abcdef")
    (data (i32.const 544) "stop")
    ;; The end of what was written, from 1024 on.
    (global $end (mut i32) (i32.const 1024))
    (func $write (param $byte i32)
      (i32.store8 (global.get $end) (local.get $byte))
      (global.set $end (i32.add (global.get $end) (i32.const 1))))
    (func $word (param $value i32)
      (local $left i32)
      (if (i32.ne (global.get $end) (i32.const 1024)) (then (call $write (i32.const 32))))
      (local.set $left (i32.const 32))
      (loop $digit
        (local.set $left (i32.sub (local.get $left) (i32.const 4)))
        (call $write (i32.load8_u (i32.add (i32.const 512)
          (i32.and (i32.shr_u (local.get $value) (local.get $left)) (i32.const 15)))))
        (br_if $digit (local.get $left))))
    ;; The handle is written to 68; 64 says `ok`.
    (func (export "generate")
      (param $messages i32) (param $message-count i32) (param $temperature f32) (param $top-p f32)
      (param $top-k i32) (param $has-seed i32) (param $seed i64) (param $most i32)
      (param $stops i32) (param $stop-count i32) (param $options i32) (param $option-count i32)
      (result i32)
      (call $word (i32.reinterpret_f32 (local.get $temperature)))
      (call $word (i32.reinterpret_f32 (local.get $top-p)))
      (call $word (local.get $top-k))
      (call $word (local.get $has-seed))
      (call $word (i32.wrap_i64 (i64.shr_u (local.get $seed) (i64.const 32))))
      (call $word (i32.wrap_i64 (local.get $seed)))
      (call $word (local.get $most))
      (call $word (local.get $message-count))
      (call $word (local.get $stop-count))
      (call $word (local.get $option-count))
      (i32.store (i32.const 68) (call $new (i32.const 0)))
      (i32.const 64))
    ;; A chunk at 128 that is the last: its text, the reason `stop`, a token of each kind.
    (data (i32.const 132) "\01\00\00\00" "\00\04\00\00\00\00\00\00" "\01\00\00\00"
                          "\20\02\00\00\04\00\00\00" "\01\00\00\00\00\00\00\00")
    (func (export "next") (param $self i32) (result i32)
      (i32.store (i32.const 140) (i32.sub (global.get $end) (i32.const 1024)))
      (i32.const 128))
    ;; Never frees.
    (global $top (mut i32) (i32.const 65536))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $top)
      (global.set $top
        (i32.and
          (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 7)) (i32.const -8))))
  )
  (core instance $guest (instantiate $guest
    (with "generation" (instance (export "new" (func $new))))))

  ;; contract: text-generation
)
